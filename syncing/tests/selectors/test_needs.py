"""What stays on "Needs you" whatever runs later, and what a later run ends."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory
from syncing.models import AccountRun, RunMode, RunPurpose, RunState, Trigger
from syncing.selectors.fleet import fleet_accounts
from syncing.selectors.needs import needs
from syncing.services import promotion
from syncing.services.approvals import approve
from syncing.tests.crm import ANNA, planned, synced, work
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.house import House

pytestmark = pytest.mark.django_db

PLAN = {"mode": RunMode.PLAN, "state": RunState.PLANNED}
DRIFT = {**PLAN, "purpose": RunPurpose.DRIFT}


@pytest.fixture
def cast() -> dict[str, Account]:
    accounts = AccountFactory.cast()
    SyncGroup.objects.update(requires_approval=True)
    return accounts


def ran(account: Account, state: str, *, reason: str = "", run: dict[str, Any] | None = None) -> AccountRun:
    facts = {"plan_digest": "d", "reason": reason, "error": {"message": "It did."} if reason else None}
    return AccountRunFactory(account=account, state=state, run=RunFactory(group=account.group, **(run or {})), **facts)


def waiting() -> dict[int, list[str]]:
    """The runs that wait for approval, with their accounts."""
    lines = [need for need in needs(fleet_accounts()) if need.concern.label == "Waits for approval"]
    return {need.accounts[0].run_id or 0: [who.name for who in need.accounts] for need in lines}


def failures() -> list[str]:
    return [
        need.concern.reason
        for need in needs(fleet_accounts())
        if need.concern.state in ("failed", "partial", "refused")
    ]


# -- plans --


@pytest.mark.parametrize(
    "later",
    [
        {"state": "planned", "run": DRIFT},
        {"state": "failed", "reason": "unreachable"},
        {"state": "skipped", "reason": "guard"},
        {"state": "in_sync", "run": {**DRIFT, "type": "pipelines"}},
        {"state": "changed", "run": {"type": "pipelines"}},
        {"state": "changed", "run": {"picked": [{"kind": "stage", "key": "7/71"}]}},
    ],
)
def test_a_plan_waits_for_its_approval_whatever_runs_later(cast, later) -> None:
    plan = ran(cast["north"], "planned", run=PLAN)
    ran(cast["north"], **later)
    assert waiting() == {plan.run_id: ["North"]}


@pytest.mark.parametrize(
    "later",
    [
        {"state": "changed"},
        {"state": "in_sync", "run": DRIFT},
        {"state": "planned", "run": {**PLAN, "type": "full", "sent_back_at": timezone.now(), "sent_back_by": "ben"}},
    ],
)
def test_a_plan_that_was_overtaken_waits_no_more(cast, later) -> None:
    ran(cast["north"], "planned", run=PLAN)
    ran(cast["north"], **later)
    assert waiting() == {}


def test_only_the_newest_plan_of_an_account_waits(cast) -> None:
    first = ran(cast["north"], "planned", run=PLAN)
    AccountRunFactory(run=first.run, account=cast["south"], state="planned", plan_digest="d")
    second = ran(cast["north"], "planned", run=PLAN)
    assert waiting() == {first.run_id: ["South"], second.run_id: ["North"]}


def test_a_plan_that_was_only_looked_at_hides_none_that_waits(cast) -> None:
    SyncGroup.objects.update(requires_approval=False)
    plan = ran(cast["north"], "planned", run={**PLAN, "trigger": Trigger.WATCH})
    ran(cast["north"], "planned", run=PLAN)
    assert waiting() == {plan.run_id: ["North"]}


def test_a_plan_that_was_sent_back_is_told_until_there_is_another(cast) -> None:
    ran(cast["north"], "planned", run={**PLAN, "sent_back_at": timezone.now(), "sent_back_by": "ben"})
    ran(cast["north"], "planned", run=DRIFT)
    assert [need.concern.state for need in needs(fleet_accounts())] == ["sent_back"]
    plan = ran(cast["north"], "planned", run=PLAN)
    assert ([need.concern.state for need in needs(fleet_accounts())], waiting()) == (
        ["planned"],
        {plan.run_id: ["North"]},
    )


def test_a_real_plan_is_listed_until_it_is_approved(house: House) -> None:
    SyncGroup.objects.update(requires_approval=True)
    house.world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    plan = planned(house)
    planned(house, purpose=RunPurpose.DRIFT)
    assert waiting() == {plan.pk: ["East", "North", "South", "West"]}
    started = approve(plan, by=ANNA, accounts=[house.accounts["north"]])
    assert waiting() == {plan.pk: ["East", "South", "West"]}
    work(house, started)
    assert waiting() == {plan.pk: ["East", "South", "West"]}


def test_a_proposal_for_the_master_waits_in_every_group(house: House) -> None:
    synced(house)
    house.world.accounts["north"].add_field("leads", "Budget", "numeric")
    planned(house, purpose=RunPurpose.DRIFT)
    picks = promotion.by_name(house.accounts["north"], [{"kind": "custom_field", "name": "Budget"}])
    run = work(house, promotion.propose(house.accounts["north"], picks, by=ANNA))
    assert waiting() == {run.pk: ["Master"]}


# -- failures --


@pytest.mark.parametrize("reason", ["validation", "server_error", "guard", "limit_reached"])
def test_a_failure_to_write_stays_until_something_is_written(cast, reason) -> None:
    failed = ran(cast["north"], "failed", reason=reason)
    ran(cast["north"], "planned", run=DRIFT)
    ran(cast["north"], "cancelled")
    (need,) = needs(fleet_accounts())
    assert (need.concern.reason, need.accounts[0].account_run_id) == (reason, failed.pk)
    assert need.reports == [("It did.", "North")]
    ran(cast["north"], "changed")
    assert needs(fleet_accounts()) == []


@pytest.mark.parametrize(
    ("reason", "later", "expected"),
    [
        ("unreachable", {"state": "planned", "run": DRIFT}, []),  # it was reached
        ("validation", {"state": "in_sync", "run": DRIFT}, []),  # nothing is left to write
        ("needs_review", {"state": "planned", "run": PLAN}, []),  # the plan is what to see to
        ("validation", {"state": "failed", "reason": "bad_answer", "run": DRIFT}, ["bad_answer"]),
    ],
)
def test_a_failure_that_a_later_reading_ends(cast, reason, later, expected) -> None:
    ran(cast["north"], "failed", reason=reason)
    ran(cast["north"], **later)
    assert failures() == expected


def test_missing_rights_are_not_disproved_by_a_plan_that_counts_what_it_would_write(house: House) -> None:
    house.world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    house.world.accounts["north"].admin = False
    synced(house)
    north = Account.objects.get(subdomain="north")
    assert north.health == "not_admin"
    planned(house, purpose=RunPurpose.DRIFT)
    north.refresh_from_db()
    assert north.health == "not_admin"
    house.world.accounts["north"].admin = True
    synced(house)
    north.refresh_from_db()
    assert north.health == "connected"
