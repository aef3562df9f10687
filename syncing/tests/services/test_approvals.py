"""Approving a plan run: who may, what is refused, and what the run that carries it out is bound to."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections

from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import ApiKey, AuditEntry, RunMode, RunPurpose, SyncRun, Trigger
from syncing.services.actors import COMMAND, SCHEDULE, WEBHOOK, of_key
from syncing.services.approvals import approvable, approve, is_approvable, review_again, stale
from syncing.services.keys import create_key
from syncing.services.runs.create import Started
from syncing.services.runs.retry import force_again, retry_failed
from syncing.services.runs.start import start_run
from syncing.tests.factories import API, RunFactory
from syncing.tests.plans import change, document, planned

pytestmark = pytest.mark.django_db


def person(name: str, *permissions: str) -> User:
    user = User.objects.create_user(name)
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    return User.objects.get(pk=user.pk)  # without the permissions that were looked up before


def key_of(*scopes: str, name: str = "bot") -> ApiKey:
    return create_key(name=name, scopes=scopes)[0]


@pytest.fixture
def group() -> SyncGroup:
    """The usual cast; nothing is written here without an approval."""
    group = GroupFactory(requires_approval=True)
    AccountFactory.cast(group)
    return group


@pytest.fixture
def ana() -> User:
    """Who asked for the plan, and may approve."""
    return person("ana", "approve_plan", "override_limits", "start_sync", "plan_sync")


@pytest.fixture
def ben() -> User:
    """Another one who may approve."""
    return person("ben", "approve_plan", "plan_sync")


@pytest.fixture
def plan(group: SyncGroup, ana: User) -> SyncRun:
    """north and south have plans, west has another, east is in sync."""
    run = RunFactory(group=group, mode=RunMode.PLAN, state="planned", requested_by=ana)
    accounts = {account.subdomain: account for account in group.accounts.filter(role="slave")}
    for name in ("north", "south"):
        planned(run, accounts[name], document(change("create", "Offer")), plan_digest="a" * 64)
    planned(run, accounts["west"], document(change("update", "New")), plan_digest="b" * 64)
    planned(run, accounts["east"], document())
    return run


def by(user: User, run: SyncRun, **facts: object) -> Started:
    return approve(run, by=Actor.of_user(user, Trigger.ADMIN), **facts)  # type: ignore[arg-type]


def refused(act: Callable[[], object]) -> str:
    """The code; a sentence and a way out go with it, and nothing was started."""
    before = SyncRun.objects.count()
    with pytest.raises(Refusal) as found:
        act()
    assert found.value.message
    assert found.value.remedy
    assert SyncRun.objects.count() == before
    return found.value.code


def digests(run: SyncRun) -> dict[str, str]:
    return dict(run.account_runs.values_list("account__subdomain", "approved_digest"))


def ended(run: SyncRun, state: str, **accounts: tuple[str, str]) -> SyncRun:
    """As lanes would have ended it: state and reason of each account."""
    for name, (account_state, reason) in accounts.items():
        run.account_runs.filter(account__subdomain=name).update(state=account_state, reason=reason)
    SyncRun.objects.filter(pk=run.pk).update(state=state)
    run.refresh_from_db()
    return run


# -- a group that wants approval --


@pytest.mark.parametrize("who", [Actor("ana", "admin"), COMMAND, API])
@pytest.mark.parametrize("forced", [False, True])
def test_nothing_is_written_without_an_approved_plan_forced_or_not(group: SyncGroup, who: Actor, forced: bool) -> None:
    facts = {"forced": True, "force_reason": "I know"} if forced else {}

    assert refused(lambda: start_run(group=group, by=who, **facts)) == "approval_needed"


def test_planning_needs_no_approval(group: SyncGroup) -> None:
    assert start_run(group=group, mode=RunMode.PLAN, by=API).run.mode == RunMode.PLAN


@pytest.mark.parametrize("who", [WEBHOOK, SCHEDULE])
def test_what_nobody_attends_to_is_planned_instead(group: SyncGroup, who: Actor) -> None:
    run = start_run(group=group, by=who).run

    assert (run.mode, run.trigger, run.whole_group) == (RunMode.PLAN, who.via, True)


# -- approving --


def test_the_run_is_bound_to_the_plans_of_the_accounts_that_have_one(plan: SyncRun, ben: User) -> None:
    started = by(ben, plan, reason="Looks right")

    run = started.run
    assert not started.joined
    assert (run.mode, run.purpose, run.type, run.approved_plan) == (RunMode.APPLY, RunPurpose.SYNC, plan.type, plan)
    assert (run.requested_by, run.trigger, run.whole_group) == (ben, Trigger.ADMIN, True)
    assert digests(run) == {"north": "a" * 64, "south": "a" * 64, "west": "b" * 64}


def test_the_approval_is_written_down(plan: SyncRun, ben: User) -> None:
    run = by(ben, plan, reason="Looks right").run

    approved = AuditEntry.objects.get(action="approved")
    assert (approved.actor, approved.run, approved.reason) == ("ben", plan.pk, "Looks right")
    assert approved.details == {"applied_by": run.pk, "accounts": ["north", "south", "west"]}
    assert AuditEntry.objects.get(action="started").details["approved_plan"] == plan.pk


def test_some_accounts_can_be_approved_alone_and_the_others_later(plan: SyncRun, ben: User) -> None:
    north = Account.objects.get(subdomain="north")
    first = by(ben, plan, accounts=[north]).run
    assert digests(first) == {"north": "a" * 64}
    assert not first.whole_group

    ended(first, "succeeded", north=("changed", ""))

    assert digests(by(ben, plan).run) == {"south": "a" * 64, "west": "b" * 64}


def test_approval_is_possible_where_it_is_not_required(plan: SyncRun, ben: User) -> None:
    SyncGroup.objects.update(requires_approval=False)

    assert by(ben, plan).run.approved_plan == plan


def test_what_a_drift_check_found_is_applied_by_a_sync(plan: SyncRun, ben: User) -> None:
    SyncRun.objects.update(purpose=RunPurpose.DRIFT)

    assert by(ben, plan).run.purpose == RunPurpose.SYNC


def test_what_was_planned_to_roll_back_is_applied_so(plan: SyncRun, ben: User) -> None:
    other = RunFactory(group=plan.group)
    SyncRun.objects.filter(pk=plan.pk).update(purpose=RunPurpose.ROLLBACK, reverts=other)

    run = by(ben, plan).run

    assert (run.purpose, run.reverts) == (RunPurpose.ROLLBACK, other)


def test_what_was_planned_without_limits_is_applied_without(plan: SyncRun, ben: User) -> None:
    SyncRun.objects.filter(pk=plan.pk).update(forced=True, force_reason="We moved")

    run = by(ben, plan).run

    assert (run.forced, run.force_reason) == (True, "We moved")


def test_a_plan_without_a_digest_binds_nobody_and_so_is_not_approved(plan: SyncRun, ben: User) -> None:
    plan.account_runs.update(plan_digest="")

    assert refused(lambda: by(ben, plan)) == "nothing_to_approve"


# -- what cannot be approved --


def test_a_run_that_writes_is_no_plan(plan: SyncRun, ben: User) -> None:
    SyncRun.objects.update(mode=RunMode.APPLY)

    assert refused(lambda: by(ben, plan)) == "no_plan"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        *[("queued", "still_open"), ("running", "still_open")],
        *[("failed", "no_plan"), ("cancelled", "no_plan"), ("refused", "no_plan")],
    ],
)
def test_only_a_plan_run_that_came_to_its_end_can_be_approved(plan: SyncRun, ben: User, state: str, code: str) -> None:
    SyncRun.objects.update(state=state)

    assert refused(lambda: by(ben, plan)) == code
    assert not is_approvable(plan)


def test_a_plan_run_with_some_bad_accounts_can_be_approved_for_the_others(plan: SyncRun, ben: User) -> None:
    ended(plan, "partial", west=("failed", "unpaid"))

    assert set(digests(by(ben, plan).run)) == {"north", "south"}


def test_where_everything_is_in_sync_there_is_nothing_to_approve(plan: SyncRun, ben: User) -> None:
    plan.account_runs.update(state="in_sync")

    assert refused(lambda: by(ben, plan)) == "nothing_to_approve"


@pytest.mark.parametrize("name", ["east", "master"])
def test_an_account_without_a_plan_is_refused_by_name(plan: SyncRun, ben: User, name: str) -> None:
    account = Account.objects.get(subdomain=name)

    with pytest.raises(Refusal, match=name) as found:
        by(ben, plan, accounts=[account])

    assert found.value.code == "not_planned"


def test_what_is_being_carried_out_is_not_approved_twice(plan: SyncRun, ben: User) -> None:
    run = by(ben, plan).run

    with pytest.raises(Refusal, match=str(run.pk)) as found:
        by(ben, plan)

    assert found.value.code == "already_approved"


def test_what_is_carried_out_or_out_of_date_is_not_approved_again(plan: SyncRun, ben: User) -> None:
    first = by(ben, plan).run
    ended(first, "partial", north=("changed", ""), south=("refused", "stale_plan"), west=("failed", "unreachable"))

    assert set(digests(by(ben, plan).run)) == {"west"}


def test_an_account_that_left_the_group_is_left_out(plan: SyncRun, ben: User) -> None:
    Account.objects.filter(subdomain="north").update(group=GroupFactory(name="Others"))

    assert set(digests(by(ben, plan).run)) == {"south", "west"}


def test_paused_accounts_are_skipped_and_nothing_starts_when_all_are(plan: SyncRun, ben: User) -> None:
    Account.objects.filter(subdomain__in=("north", "south", "west")).update(paused=True)
    assert refused(lambda: by(ben, plan)) == "paused"

    Account.objects.filter(subdomain="west").update(paused=False)
    states = dict(by(ben, plan).run.account_runs.values_list("account__subdomain", "state"))
    assert states == {"north": "skipped", "south": "skipped", "west": "queued"}


@pytest.mark.django_db(transaction=True)
def test_of_two_approvals_at_once_one_starts_a_run(plan: SyncRun, ana: User, ben: User) -> None:
    def attempt(user: User) -> str:
        try:
            by(user, SyncRun.objects.get(pk=plan.pk))
        except Refusal as error:
            return error.code
        finally:
            connections.close_all()
        return "started"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, (ana, ben))) == ["already_approved", "started"]
    assert SyncRun.objects.filter(approved_plan=plan).count() == 1


# -- who may approve --


def test_approving_needs_its_permission(plan: SyncRun) -> None:
    clerk = person("clerk", "start_sync", "plan_sync")

    with pytest.raises(Refusal, match=r"clerk.*syncing.approve_plan") as found:
        by(clerk, plan)

    assert found.value.code == "not_allowed"


def test_a_promotion_needs_the_permission_to_promote_as_well(plan: SyncRun, ben: User) -> None:
    north = Account.objects.get(subdomain="north")
    master = Account.objects.get(role="master")
    SyncRun.objects.update(purpose=RunPurpose.PROMOTION, source=north, picked=[{"kind": "stage", "slave_key": "7/1"}])
    plan.account_runs.exclude(account=north).delete()
    plan.account_runs.update(account=master)
    plan.refresh_from_db()

    assert refused(lambda: by(ben, plan)) == "not_allowed"
    key = key_of("approve")
    assert refused(lambda: approve(plan, by=of_key(key))) == "not_allowed"

    run = by(person("ceo", "approve_plan", "promote"), plan).run
    assert (run.source, run.picked) == (north, [{"kind": "stage", "slave_key": "7/1"}])
    assert digests(run) == {"master": "a" * 64}


def test_who_asked_may_approve_unless_the_group_wants_another_person(plan: SyncRun, ana: User, ben: User) -> None:
    SyncGroup.objects.update(approver_must_differ=True)
    plan.refresh_from_db()

    assert refused(lambda: by(ana, plan)) == "same_person"
    assert by(ben, plan).run.requested_by == ben


def test_who_asked_may_approve_where_one_person_is_enough(plan: SyncRun, ana: User) -> None:
    assert by(ana, plan).run.requested_by == ana


def test_a_plan_that_nobody_asked_for_is_approved_by_anybody_who_may(group: SyncGroup, ana: User) -> None:
    SyncGroup.objects.update(approver_must_differ=True)
    run = start_run(group=group, by=WEBHOOK).run
    start_run(group=group, mode=RunMode.PLAN, by=Actor.of_user(ana, "admin"))  # joins
    run.account_runs.update(state="planned", plan_digest="a" * 64)
    ended(run, "planned")

    assert by(ana, run).run.approved_plan == run


# -- after it was carried out --


@pytest.fixture
def applied(plan: SyncRun, ben: User) -> SyncRun:
    """north is done, south changed meanwhile, west could not be reached."""
    run = by(ben, plan).run
    return ended(run, "partial", north=("changed", ""), south=("refused", "stale_plan"), west=("failed", "unreachable"))


def test_a_retry_carries_out_what_was_approved_and_nothing_that_is_stale(applied: SyncRun, ana: User) -> None:
    SyncRun.objects.filter(pk=applied.pk).update(forced=True, force_reason="We moved")
    applied.refresh_from_db()

    again = retry_failed(applied, by=Actor.of_user(ana, "admin")).run

    assert digests(again) == {"west": "b" * 64}
    assert (again.approved_plan, again.mode) == (applied.approved_plan, RunMode.APPLY)
    assert (again.forced, again.force_reason) == (True, "We moved")  # as it was approved


def test_a_run_with_only_stale_accounts_left_is_not_retried(applied: SyncRun, ana: User) -> None:
    applied.account_runs.filter(account__subdomain="west").delete()

    assert refused(lambda: retry_failed(applied, by=Actor.of_user(ana, "admin"))) == "stale_plan"


def test_a_new_review_is_a_plan_run_of_exactly_the_stale_accounts(applied: SyncRun, ana: User) -> None:
    assert [account_run.account.subdomain for account_run in stale(applied)] == ["south"]

    review = review_again(applied, by=Actor.of_user(ana, Trigger.ADMIN)).run

    assert (review.mode, review.approved_plan, review.requested_by) == (RunMode.PLAN, None, ana)
    assert list(review.account_runs.values_list("account__subdomain", flat=True)) == ["south"]
    assert digests(review) == {"south": ""}


def test_a_new_review_of_a_rollback_is_one_of_the_same_rollback(applied: SyncRun, ana: User) -> None:
    other = RunFactory(group=applied.group)
    SyncRun.objects.filter(pk=applied.pk).update(purpose=RunPurpose.ROLLBACK, reverts=other)
    applied.refresh_from_db()

    review = review_again(applied, by=Actor.of_user(ana, Trigger.ADMIN)).run

    assert (review.mode, review.purpose, review.reverts) == (RunMode.PLAN, RunPurpose.ROLLBACK, other)


def test_there_is_no_new_review_without_a_stale_account(plan: SyncRun, ana: User, ben: User) -> None:
    actor = Actor.of_user(ana, Trigger.ADMIN)
    run = by(ben, plan).run
    assert refused(lambda: review_again(run, by=actor)) == "still_open"

    ended(run, "succeeded")

    assert refused(lambda: review_again(run, by=actor)) == "nothing_stale"


def test_what_the_limits_refused_of_an_approved_run_is_forced_as_it_was_approved(applied: SyncRun, ana: User) -> None:
    applied.account_runs.filter(account__subdomain="west").update(state="refused", reason="guard")

    run = force_again(applied, by=Actor.of_user(ana, "admin"), reason="I know").run

    assert digests(run) == {"west": "b" * 64}
    assert (run.forced, run.approved_plan) == (True, applied.approved_plan)
    overrode = AuditEntry.objects.get(action="overrode")
    assert (overrode.run, overrode.actor, overrode.reason) == (run.pk, "ana", "I know")


def test_the_accounts_of_another_plan_do_not_count(plan: SyncRun, applied: SyncRun) -> None:
    other = RunFactory(group=plan.group, mode=RunMode.PLAN, state="planned")
    planned(other, Account.objects.get(subdomain="north"), document(change("create", "Offer")))

    assert [account_run.account.subdomain for account_run in approvable(other)] == ["north"]
