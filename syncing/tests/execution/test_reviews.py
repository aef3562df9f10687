"""What nobody attends to deletes nothing: an account whose plan does is refused, and a person decides."""

import pytest

from accounts.actors import Actor
from accounts.models import SyncGroup
from accounts.simulator import edits
from accounts.simulator.account import SimAccount
from syncing.models import AccountRun, LogEntry, SyncRun
from syncing.services import approvals
from syncing.services.actors import COMMAND, RETRY, SCHEDULE, WATCH
from syncing.tests.crm import ANNA, account_runs, synced, work, writes
from syncing.tests.house import House


@pytest.fixture
def master(house: House) -> SimAccount:
    """Two slaves have all of it; then a stage goes and another comes."""
    found = house.world.accounts["master"]
    sales = found.add_pipeline("Sales", stages=["New", "Offer", "Deal"])
    SyncGroup.objects.update(unmatched_stages="delete_created", max_delete_share=100)
    synced(house, accounts=[house.accounts[name] for name in ("north", "south")])
    south = house.world.accounts["south"]
    south.add_lead(south.pipeline("Sales").id, south.stage("Sales", "Offer").id)
    edits.remove(found, "stage", [sales.id, sales.stage("Offer").id])
    found.add_stage(sales, "Won back", sort=25)
    return found


def run_of(house: House, by: Actor, **facts: object) -> SyncRun:
    return synced(house, by=by, accounts=[house.accounts[name] for name in ("north", "south")], **facts)


def ends(run: SyncRun) -> dict[str, tuple[str, str]]:
    return {name: (each.state, each.reason) for name, each in account_runs(run).items()}


@pytest.mark.parametrize("by", [WATCH, RETRY], ids=str)
def test_an_account_whose_plan_deletes_is_refused_and_the_others_are_written(
    house: House, master: SimAccount, by: Actor
) -> None:
    """South keeps the stage, as there is a lead in it: its plan deletes nothing."""
    since = len(house.world.log)

    run = run_of(house, by, delta=True)

    assert ends(run) == {"north": ("refused", "needs_review"), "south": ("changed", "")}
    assert writes(house, "north", since) == []
    refused = account_runs(run)["north"]
    assert refused.error["code"] == "needs_review"
    assert refused.error["message"].startswith("Items to delete: 1.")
    assert "approve" in refused.error["remedy"]
    assert {each["outcome"] for each in refused.document["changes"]} == {"skipped"}
    assert (run.state, LogEntry.objects.filter(run=run, code="done").count()) == ("partial", 1)


def test_who_approves_that_plan_has_it_carried_out(house: House, master: SimAccount) -> None:
    planned = run_of(house, WATCH, mode="plan")
    assert ends(planned)["north"] == ("planned", "")

    applied = work(house, approvals.approve(planned, by=ANNA))

    assert ends(applied)["north"] == ("changed", "")
    assert account_runs(applied)["north"].deleted == 1


def test_an_approved_plan_may_delete_whoever_starts_it(house: House, master: SimAccount) -> None:
    planned = run_of(house, WATCH, mode="plan")
    applied = approvals.approve(planned, by=ANNA).run
    SyncRun.objects.filter(pk=applied.pk).update(trigger="watch")
    AccountRun.objects.filter(run=applied, account__subdomain="south").delete()

    assert ends(work(house, applied))["north"] == ("changed", "")


@pytest.mark.parametrize("by", [COMMAND, SCHEDULE], ids=str)
def test_what_a_person_or_a_schedule_starts_may_delete(house: House, master: SimAccount, by: Actor) -> None:
    assert ends(run_of(house, by))["north"] == ("changed", "")


def test_who_forces_it_has_seen_it(house: House, master: SimAccount) -> None:
    assert ends(run_of(house, WATCH, forced=True, force_reason="I have seen it."))["north"] == ("changed", "")


def test_limits_are_asked_afterwards(house: House, master: SimAccount) -> None:
    SyncGroup.objects.update(max_deletes=0)
    assert ends(run_of(house, WATCH))["north"] == ("refused", "needs_review")
    assert ends(run_of(house, COMMAND))["north"] == ("refused", "guard")


def test_a_wave_does_not_fail_by_it(house: House, master: SimAccount) -> None:
    """The pilot waits for a person; the next wave goes on."""
    SyncGroup.objects.update(wave_size=1, max_failure_share=0)
    house.accounts["north"].is_pilot = True
    house.accounts["north"].save()

    assert ends(run_of(house, WATCH)) == {"north": ("refused", "needs_review"), "south": ("changed", "")}
