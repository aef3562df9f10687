"""Forcing what the limits refused: which accounts, by whom, and what stays in the record."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User

from accounts.actors import Actor
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AccountState, AuditEntry, RunMode, RunPurpose, RunState, SyncRun
from syncing.services.runs.retry import force_again, is_forceable, retry_failed
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def group() -> SyncGroup:
    return AccountFactory.cast()["master"].group


@pytest.fixture
def ana() -> User:
    user = User.objects.create_user("ana")
    user.user_permissions.add(Permission.objects.get(codename="override_limits"))
    return user


@pytest.fixture
def run(group: SyncGroup) -> SyncRun:
    """The limits refused north and south; west was changed, east is not paid."""
    run = RunFactory(group=group, state=RunState.PARTIAL)
    ends = {"north": ("refused", "guard"), "south": ("refused", "guard"), "east": ("failed", "unpaid")}
    for account in group.accounts.filter(role="slave"):
        state, reason = ends.get(account.subdomain, ("changed", ""))
        AccountRunFactory(run=run, account=account, state=state, reason=reason)
    return run


def names(run: SyncRun) -> set[str]:
    return set(run.account_runs.values_list("account__subdomain", flat=True))


def refused(act: Callable[[], object]) -> str:
    before = SyncRun.objects.count()
    with pytest.raises(Refusal) as found:
        act()
    assert found.value.remedy
    assert SyncRun.objects.count() == before
    return found.value.code


def test_exactly_the_accounts_that_the_limits_refused_are_forced(run: SyncRun, ana: User) -> None:
    forced = force_again(run, by=Actor.of_user(ana, "admin"), reason=" We moved ").run

    assert names(forced) == {"north", "south"}
    assert (forced.forced, forced.force_reason, forced.whole_group) == (True, "We moved", False)
    assert (forced.mode, forced.type, forced.requested_by) == (run.mode, run.type, ana)


def test_the_override_is_written_down_with_its_reason(run: SyncRun, ana: User) -> None:
    forced = force_again(run, by=Actor.of_user(ana, "admin"), reason="We moved").run

    overrode = AuditEntry.objects.get(action="overrode")
    assert (overrode.actor, overrode.run, overrode.reason) == ("ana", forced.pk, "We moved")


def test_when_the_master_shrank_the_whole_run_is_forced(group: SyncGroup, ana: User) -> None:
    run = RunFactory(group=group, state=RunState.REFUSED, reason="guard")
    for account in group.accounts.filter(role="slave"):
        AccountRunFactory(run=run, account=account, state=AccountState.SKIPPED, reason="guard")

    forced = force_again(run, by=Actor.of_user(ana, "admin"), reason="We moved").run

    assert names(forced) == {"north", "south", "west", "east"}
    assert forced.whole_group


def test_a_run_whose_accounts_were_all_refused_is_forced_for_them(run: SyncRun, ana: User) -> None:
    run.account_runs.exclude(reason="guard").delete()
    SyncRun.objects.update(state=RunState.REFUSED, reason="guard")
    run.refresh_from_db()

    assert names(force_again(run, by=Actor.of_user(ana, "admin"), reason="We moved").run) == {"north", "south"}


def test_accounts_behind_a_wave_that_was_stopped_are_retried_and_not_forced(run: SyncRun, ana: User) -> None:
    run.account_runs.filter(account__subdomain="south").update(state="skipped")

    assert names(force_again(run, by=Actor.of_user(ana, "admin"), reason="We moved").run) == {"north"}
    assert names(retry_failed(run, by=Actor.of_user(ana, "admin")).run) == {"north", "south", "east"}


def test_forcing_a_plan_makes_a_plan(run: SyncRun, ana: User) -> None:
    SyncGroup.objects.update(requires_approval=True)
    SyncRun.objects.update(mode=RunMode.PLAN)
    run.refresh_from_db()

    assert force_again(run, by=Actor.of_user(ana, "admin"), reason="We moved").run.mode == RunMode.PLAN


def test_forcing_is_no_way_round_an_approval(run: SyncRun, ana: User) -> None:
    SyncGroup.objects.update(requires_approval=True)

    assert refused(lambda: force_again(run, by=Actor.of_user(ana, "admin"), reason="We moved")) == "approval_needed"
    assert refused(lambda: retry_failed(run, by=Actor.of_user(ana, "admin"))) == "approval_needed"


def test_forcing_needs_its_permission_and_a_reason(run: SyncRun, ana: User) -> None:
    assert (
        refused(
            lambda: force_again(run, by=Actor.of_user(User.objects.create_user("clerk"), "admin"), reason="I want it")
        )
        == "not_allowed"
    )
    assert refused(lambda: force_again(run, by=Actor.of_user(ana, "admin"), reason="  ")) == "no_reason"


def test_nothing_but_what_the_limits_refused_can_be_forced(run: SyncRun, ana: User) -> None:
    run.account_runs.filter(reason="guard").update(reason="limit_reached")

    assert not is_forceable(run)
    assert refused(lambda: force_again(run, by=Actor.of_user(ana, "admin"), reason="I want it")) == "nothing_refused"


def test_an_open_run_is_not_forced(run: SyncRun, ana: User) -> None:
    SyncRun.objects.update(state=RunState.RUNNING)
    run.refresh_from_db()

    assert refused(lambda: force_again(run, by=Actor.of_user(ana, "admin"), reason="I want it")) == "nothing_refused"


def test_accounts_that_left_the_group_leave_nothing_to_force(run: SyncRun, ana: User) -> None:
    others = GroupFactory(name="Others")
    run.group.accounts.filter(subdomain__in=("north", "south")).update(group=others)

    assert refused(lambda: force_again(run, by=Actor.of_user(ana, "admin"), reason="I want it")) == "no_slaves"


def test_a_rollback_is_retried_as_one_and_only_where_it_may_write(run: SyncRun, ana: User) -> None:
    other = RunFactory(group=run.group)
    SyncRun.objects.filter(pk=run.pk).update(purpose=RunPurpose.ROLLBACK, reverts=other)
    run.refresh_from_db()

    again = retry_failed(run, by=Actor.of_user(ana, "admin")).run
    assert (again.purpose, again.reverts, again.mode) == (RunPurpose.ROLLBACK, other, run.mode)

    SyncGroup.objects.update(requires_approval=True)
    SyncRun.objects.filter(pk=again.pk).delete()
    assert refused(lambda: retry_failed(run, by=Actor.of_user(ana, "admin"))) == "approval_needed"
