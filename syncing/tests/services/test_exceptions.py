"""Exceptions: what may be accepted, what becomes of it, and who is remembered for it."""

import pytest
from django.contrib.auth.models import Permission, User

from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import AccountFactory
from syncing.models import AcceptedDifference, AuditEntry, Drift, DriftChange, RunMode, SyncRun, Trigger
from syncing.services import exceptions
from syncing.services.exceptions import revert, withdraw
from syncing.tests.factories import DriftFactory, difference, extra

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> dict[str, Account]:
    return AccountFactory.cast()


@pytest.fixture
def north(cast) -> Account:
    """Edited by somebody, with a pipeline of its own."""
    rows = [difference(), difference(attribute="name", cause="master"), difference("7/72", name="Demo"), extra()]
    DriftFactory(account=cast["north"], rows=rows)
    return cast["north"]


@pytest.fixture
def ana(django_user_model: type[User]) -> User:
    """May accept differences."""
    user = django_user_model.objects.create_user("ana", password="-")
    user.user_permissions.add(Permission.objects.get(codename="accept_drift"))
    return user


def accept(account: Account, ana: User, **facts: str) -> AcceptedDifference:
    what = {"kind": "stage", "key": "7/71", "attribute": "color", "reason": "Their own colours.", **facts}
    return exceptions.accept(account, **what, by=Actor.of_user(ana, Trigger.ADMIN))


def left(account: Account) -> list[tuple[str, str]]:
    return [(row["key"], row["attribute"]) for row in Drift.objects.get(account=account).differences]


def test_an_accepted_attribute_leaves_the_drift_at_once_and_the_rest_stays(north, ana) -> None:
    accepted = accept(north, ana)
    assert (accepted.name, accepted.parent, accepted.accepted_by) == ("Offer", "Sales", ana)
    assert left(north) == [("7/71", "name"), ("7/72", "color"), ("=old", "")]
    found = Drift.objects.get(account=north)
    assert (found.count, found.by_slave, found.by_master, found.extras) == (2, 1, 1, 1)


def test_a_whole_item_takes_all_its_differences_along(north, ana) -> None:
    accept(north, ana, attribute="")
    assert left(north) == [("7/72", "color"), ("=old", "")]


def test_a_whole_pipeline_goes_with_its_stages_and_no_others(cast, ana) -> None:
    rows = [difference("7", kind="pipeline", attribute="name"), difference(), difference("77/1")]
    DriftFactory(account=cast["south"], rows=rows)
    accept(cast["south"], ana, kind="pipeline", key="7", attribute="")
    assert left(cast["south"]) == [("77/1", "color")]


def test_an_extra_can_be_accepted_too(north, ana) -> None:
    accept(north, ana, kind="pipeline", key="=old", attribute="")
    assert ("=old", "") not in left(north)


def test_the_last_difference_that_is_accepted_leaves_an_account_in_sync(cast, ana) -> None:
    DriftFactory(account=cast["south"])
    accept(cast["south"], ana)
    found = Drift.objects.get(account=cast["south"])
    assert (found.state, found.count, found.since) == ("in_sync", 0, None)


def test_who_accepted_and_why_is_in_the_audit_and_in_the_history(north, ana) -> None:
    accepted = accept(north, ana, reason="  Their own colours. ")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.via, entry.account) == ("accepted", "ana", "admin", "north")
    assert (entry.group, entry.reason) == (north.group.name, "Their own colours.")
    assert entry.details == {
        "exception": accepted.pk, "kind": "stage", "key": "7/71", "attribute": "color", "name": "Offer",
        "parent": "Sales",
    }  # fmt: skip
    change = DriftChange.objects.get()
    assert (change.run, change.appeared, [row["attribute"] for row in change.gone]) == (None, [], ["color"])


@pytest.mark.parametrize(
    "facts",
    [
        {"key": "7/79"},
        {"attribute": "position"},
        {"kind": "pipeline"},
        {"kind": "pipeline", "key": "7", "attribute": ""},
    ],
)
def test_only_what_differs_now_can_be_accepted(north, ana, facts) -> None:
    with pytest.raises(Refusal) as refused:
        accept(north, ana, **facts)
    assert refused.value.code == "no_such_difference"
    assert "North" in refused.value.message
    assert refused.value.remedy
    assert not AcceptedDifference.objects.exists()
    assert not AuditEntry.objects.exists()


def test_the_same_cannot_be_accepted_twice(north, ana) -> None:
    accept(north, ana)
    with pytest.raises(Refusal) as refused:
        accept(north, ana)
    assert refused.value.code == "no_such_difference"
    assert AcceptedDifference.objects.count() == 1


def test_nothing_is_accepted_in_an_account_that_nobody_looked_at(cast, ana) -> None:
    with pytest.raises(Refusal) as refused:
        accept(cast["south"], ana)
    assert refused.value.code == "no_such_difference"


@pytest.mark.parametrize("reason", ["", "   "])
def test_an_exception_needs_a_reason(north, ana, reason) -> None:
    with pytest.raises(Refusal) as refused:
        accept(north, ana, reason=reason)
    assert refused.value.code == "no_reason"


def test_a_master_differs_from_nothing(cast, ana) -> None:
    with pytest.raises(Refusal) as refused:
        accept(cast["master"], ana)
    assert refused.value.code == "not_a_slave"


def test_deciding_needs_the_permission(north, ana) -> None:
    accepted = accept(north, ana)
    bob = User.objects.create_user("bob", password="-")
    for deciding in (
        lambda: accept(north, bob, attribute="name"),
        lambda: withdraw(accepted, by=Actor.of_user(bob, Trigger.COMMAND)),
    ):
        with pytest.raises(Refusal) as refused:
            deciding()
        assert refused.value.code == "not_allowed"
    assert AcceptedDifference.objects.filter(withdrawn_at=None).count() == AuditEntry.objects.count() == 1


def test_a_withdrawn_exception_stays_in_the_record_and_may_be_made_again(north, ana) -> None:
    accepted = accept(north, ana)
    withdraw(accepted, by=Actor.of_user(ana, Trigger.ADMIN))
    assert (accepted.withdrawn_by, accepted.withdrawn_at is not None) == (ana, True)
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["withdrew", "accepted"]
    Drift.objects.filter(account=north).delete()
    DriftFactory(account=north)
    accept(north, ana)
    assert AcceptedDifference.objects.filter(withdrawn_at=None).count() == 1


def test_an_exception_is_withdrawn_once(north, ana) -> None:
    accepted = accept(north, ana)
    stale = AcceptedDifference.objects.get(pk=accepted.pk)
    withdraw(accepted, by=Actor.of_user(ana, Trigger.ADMIN))
    with pytest.raises(Refusal) as refused:
        withdraw(stale, by=Actor("robot", Trigger.API))
    assert refused.value.code == "already_withdrawn"
    assert AuditEntry.objects.filter(action="withdrew").count() == 1


def test_reverting_syncs_this_account_alone(north, ana) -> None:
    revert(north, by=Actor.of_user(ana, "admin"))
    run = SyncRun.objects.get()
    assert (run.mode, run.requested_by, run.whole_group) == (RunMode.APPLY, ana, False)
    assert list(run.account_runs.values_list("account__subdomain", flat=True)) == ["north"]


def test_reverting_only_plans_where_plans_need_approval(north, ana) -> None:
    SyncGroup.objects.update(requires_approval=True)
    north.refresh_from_db()
    revert(north, by=Actor.of_user(ana, "admin"))
    assert SyncRun.objects.get().mode == RunMode.PLAN


def test_a_paused_account_is_not_reverted(north, ana) -> None:
    Account.objects.filter(pk=north.pk).update(paused=True)
    with pytest.raises(Refusal) as refused:
        revert(north, by=Actor.of_user(ana, "admin"))
    assert refused.value.code == "paused"
