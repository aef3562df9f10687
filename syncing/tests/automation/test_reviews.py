"""Reviews, over HTTP: accounts that would lose something are planned at once, and a person approves."""

from typing import Any

import pytest

from accounts.models import Account, SyncGroup, WatchMode
from syncing.automation import retries
from syncing.automation.follow_up import follow_ended
from syncing.models import AccountRetry, LogEntry, RunMode, SyncRun, Trigger
from syncing.selectors.fleet import fleet_accounts
from syncing.selectors.needs import needs
from syncing.services.actors import COMMAND, RETRY, WATCH, WEBHOOK
from syncing.services.approvals import approve
from syncing.tests.crm import synced, work
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.house import House


@pytest.fixture
def crm(house: House) -> House:
    """The master has lost a pipeline that KommoSync once made in north; in south somebody has already deleted it."""
    Account.objects.filter(subdomain__in=("west", "east")).delete()
    master = house.world.accounts["master"]
    master.add_pipeline("Sales", stages=["New"])
    old = master.add_pipeline("Old", stages=["Idea"])
    policy: dict[str, Any] = {
        "unmatched_pipelines": "delete_created",
        "max_delete_share": 100,
        "max_master_shrink": 100,
    }
    SyncGroup.objects.update(watch=WatchMode.APPLY, sync_custom_fields=False, **policy)
    house.group.refresh_from_db()
    synced(house)
    master.delete_pipeline(old)
    master.add_pipeline("Support", stages=["New"])
    south = house.world.accounts["south"]
    south.delete_pipeline(next(each for each in south.pipelines.values() if each.name == "Old"))
    return house


def names(house: House, subdomain: str) -> set[str]:
    return {pipeline.name for pipeline in house.world.accounts[subdomain].pipelines.values()} & {
        "Sales", "Old", "Support"
    }  # fmt: skip


@pytest.mark.parametrize("by", [WATCH, RETRY])
def test_one_plan_of_exactly_the_accounts_that_would_lose_something(crm: House, by) -> None:
    run = synced(crm, by=by)
    assert crm.states(run) == {"north": "refused", "south": "changed"}
    assert names(crm, "north") == {"Sales", "Old"}
    count = SyncRun.objects.count()
    assert follow_ended() == 2
    plan = work(crm, SyncRun.objects.latest("pk"))
    assert follow_ended() == 1
    assert SyncRun.objects.count() == count + 1
    assert (plan.trigger, plan.mode, plan.state) == (run.trigger, RunMode.PLAN, "planned")
    assert crm.states(plan) == {"north": "planned"}
    assert LogEntry.objects.get(run=run, code="needs_review", account_run=None).message == (
        f"Run {plan.pk} plans the accounts in which something would be deleted (1), for approval."
    )
    assert "Waits for approval" in [need.concern.label for need in needs(fleet_accounts())]
    assert retries.start_due() == AccountRetry.objects.count() == 0

    applied = work(crm, approve(plan, by=COMMAND))
    follow_ended()
    assert crm.states(applied) == {"north": "changed"}
    assert names(crm, "north") == {"Sales", "Support"}


@pytest.fixture
def refused(house: House) -> SyncRun:
    """A run of the watcher that would have deleted something in north."""
    run = RunFactory(group=house.group, trigger=Trigger.WATCH, state="refused")
    AccountRunFactory(run=run, account=house.accounts["north"], state="refused", reason="needs_review")
    return run


@pytest.mark.parametrize("facts", [{"trigger": WEBHOOK.via}, {"mode": RunMode.PLAN}])
def test_only_what_nobody_attended_to_is_reviewed(refused: SyncRun, facts: dict[str, str]) -> None:
    SyncRun.objects.update(**facts)
    follow_ended()
    assert SyncRun.objects.count() == 1


@pytest.mark.parametrize("reason", ["guard", "limit_reached", "stale_plan"])
def test_what_was_refused_for_another_reason_is_not_planned(refused: SyncRun, reason: str) -> None:
    refused.account_runs.update(reason=reason)
    follow_ended()
    assert SyncRun.objects.count() == 1


def test_a_review_that_cannot_begin_is_told_once(refused: SyncRun) -> None:
    Account.objects.filter(subdomain="north").update(group=SyncGroup.objects.create(name="Others"))
    assert [follow_ended(), follow_ended()] == [1, 0]
    assert SyncRun.objects.count() == 1
    assert "None of these accounts is in the group Branches any more." in LogEntry.objects.get().message
