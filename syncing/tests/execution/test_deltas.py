"""Runs that are deltas, over HTTP: which accounts are read in part, what is stored of them, and what is a doubt."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import SyncGroup
from accounts.simulator import edits
from accounts.simulator.account import SimAccount
from syncing.models import AccountRun, Drift, Exclusion, IdMapping, MasterSnapshot, PendingCreation, StoredName, SyncRun
from syncing.selectors.documents import run_document
from syncing.services import approvals, exceptions, rollback
from syncing.services.actors import COMMAND, WATCH
from syncing.services.drift_checks import check_now
from syncing.services.runs.start import cancel_run
from syncing.tests.crm import ANNA, account_runs, asked, look, synced, work
from syncing.tests.house import House, result


@pytest.fixture
def master(house: House) -> SimAccount:
    """With a pipeline and fields; north has been brought to it."""
    found = house.world.accounts["master"]
    found.add_pipeline("Sales", stages=["New", "Offer", "Deal"])
    found.add_field("leads", "Source", "select", enums=["Web", "Phone"])
    found.add_field("leads", "Notes", "textarea")
    SyncGroup.objects.update(max_update_share=100, max_delete_share=100)
    synced(house, accounts=[house.accounts["north"]])
    return found


@pytest.fixture
def north(house: House, master: SimAccount) -> SimAccount:
    return house.world.accounts["north"]


def follow(house: House, *names: str, **facts: Any) -> SyncRun:
    accounts = [house.accounts[name] for name in names or ("north",)]
    return synced(house, by=WATCH, delta=True, accounts=accounts, **facts)


def outcome(run: SyncRun, name: str = "north") -> tuple[str, int, bool]:
    account_run = account_runs(run)[name]
    return account_run.state, account_run.requests, account_run.delta


def drift_of(house: House) -> Drift:
    return Drift.objects.get(account=house.accounts["north"])


WHOLE = ("changed", 7 + 2, False)
PART = ("changed", 3, True)


def test_a_slave_that_was_equal_is_read_in_part_and_the_run_says_so(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    since = len(house.world.log)
    master.add_stage(master.pipeline("Sales"), "Won back", sort=25)

    run = follow(house, "north", "south")

    assert (outcome(run), len(asked(house, "north", since))) == (PART, 3)
    assert outcome(run, "south")[2] is False, "nobody has brought it to the master before"
    document = run_document(run)
    assert [(each["subdomain"], each["delta"]) for each in document["accounts"]] == [("north", True), ("south", False)]
    assert look(north)["pipelines"][-1] == look(master)["pipelines"][-1]


def test_deltas_follow_each_other(house: House, master: SimAccount, north: SimAccount) -> None:
    """Each moves both bases to the master that it has read, also where it has read only a list of fields."""
    master.add_stage(master.pipeline("Sales"), "Won back", sort=25)
    first = follow(house)
    edits.change(master, "field", master.field("leads", "Source").id, name="Origin")
    second = follow(house)
    for item in master.fields["leads"].values():
        item.sort += 5
    third = follow(house)
    fourth = follow(house)

    assert [outcome(run) for run in (first, second)] == [PART] * 2
    assert [outcome(run)[0] for run in (third, fourth)] == ["in_sync"] * 2
    assert outcome(fourth) == ("in_sync", 0, True)
    drift = drift_of(house)
    assert drift.base_pipelines == drift.base_fields == MasterSnapshot.objects.order_by("-pk").first()
    assert outcome(synced(house, accounts=[house.accounts["north"]])) == ("in_sync", 7, False)


def test_what_a_delta_did_not_see_is_neither_forgotten_nor_called_checked(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    north.add_field("leads", "Own field")
    north.add_stage(north.pipeline("Sales"), "Own stage")
    synced(house, accounts=[house.accounts["north"]])
    before = drift_of(house)
    edits.remove(north, "stage", [north.pipeline("Sales").id, north.stage("Sales", "Own stage").id])
    master.add_stage(master.pipeline("Sales"), "Won back", sort=25)

    run = follow(house)

    after = drift_of(house)
    assert outcome(run) == PART
    assert {row["name"] for row in before.differences} - {row["name"] for row in after.differences} == {"Own stage"}
    assert "Own field" in {row["name"] for row in after.differences}
    assert (after.state, after.run_id, after.checked_at) == ("in_sync", run.pk, before.checked_at)


def break_mapping(house: House) -> None:
    IdMapping.objects.filter(account=house.accounts["north"], kind="custom_field", name="Notes").delete()


def exclude(house: House) -> None:
    Exclusion.objects.create(account=house.accounts["north"], kind="custom_field", name="Notes")


def wait_for_a_creation(house: House) -> None:
    PendingCreation.objects.create(
        account=house.accounts["north"], kind="stage", place="1", master_keys=["1/1"], before=[]
    )


def store_a_name(house: House) -> None:
    key = IdMapping.objects.get(account=house.accounts["north"], name="Notes").slave_key
    StoredName.objects.create(
        account=house.accounts["north"], kind="custom_field", key=key, sent="Notes", shown="Notes"
    )


def find_drift(house: House) -> None:
    edits.change(
        house.world.accounts["north"], "pipeline", house.world.accounts["north"].pipeline("Sales").id, name="X"
    )
    work(house, check_now(house.group, by=COMMAND, accounts=[house.accounts["north"]]))


def accept_and_withdraw(house: House) -> None:
    """The account is equal again by the rules, and unequal again by the same rules as when it was equal."""
    find_drift(house)
    row = next(row for row in drift_of(house).differences if row["action"] != "extra")
    accepted = exceptions.accept(
        house.accounts["north"], kind=row["kind"], key=row["key"], attribute=row["attribute"], reason="So.", by=ANNA
    )
    assert drift_of(house).state == "in_sync"
    exceptions.withdraw(accepted, by=ANNA)


def fail(house: House) -> None:
    run = house.start(accounts=[house.accounts["north"]])
    house.work(lambda *_: result("failed", "server_error", requests=3), run_id=run.pk)


def cancel(house: House) -> None:
    run = house.start(accounts=[house.accounts["north"]])
    AccountRun.objects.filter(run=run).update(fence=1)
    cancel_run(run, by=COMMAND)


def roll_back(house: House) -> None:
    house.world.accounts["master"].add_field("leads", "Wrong")
    run = synced(house, accounts=[house.accounts["north"]])
    work(house, rollback.start(run, accounts=[house.accounts["north"]], mode="apply", by=ANNA, reason="So."))


def lose_the_base(house: House) -> None:
    Drift.objects.update(base_fields=None)


def delete_more(house: House) -> None:
    SyncGroup.objects.update(unmatched_options="delete_created")


DOUBTS = [
    break_mapping, exclude, wait_for_a_creation, store_a_name, find_drift, accept_and_withdraw, fail, cancel, roll_back,
    lose_the_base, delete_more,
]  # fmt: skip


@pytest.mark.parametrize("doubt", DOUBTS, ids=lambda doubt: doubt.__name__)
def test_in_any_doubt_the_account_is_read_whole_and_the_next_delta_is_one_again(
    house: House, master: SimAccount, north: SimAccount, doubt: Callable[[House], None]
) -> None:
    doubt(house)
    master.add_stage(master.pipeline("Sales"), "Won back", sort=25)

    first = follow(house)
    for model in (StoredName, PendingCreation):
        model.objects.all().delete()
    master.add_stage(master.pipeline("Sales"), "Won again", sort=26)
    second = follow(house)

    assert (outcome(first)[0], outcome(first)[2]) == ("changed", False)
    assert outcome(first)[1] >= WHOLE[1]
    assert outcome(second) == PART


def test_a_run_that_is_not_asked_to_be_a_delta_and_a_forced_one_read_all(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    assert outcome(synced(house, accounts=[house.accounts["north"]])) == ("in_sync", 7, False)
    assert outcome(follow(house, forced=True, force_reason="To see all.")) == ("in_sync", 7, False)


def test_a_run_that_waited_and_was_never_begun_is_no_doubt(house: House, master: SimAccount, north: SimAccount) -> None:
    cancel_run(house.start(accounts=[house.accounts["north"]]), by=COMMAND)
    master.add_stage(master.pipeline("Sales"), "Won back", sort=25)

    assert outcome(follow(house)) == PART


def test_another_attempt_at_a_delta_reads_all(house: House, master: SimAccount, north: SimAccount) -> None:
    """Nobody knows what the first one has done."""
    master.add_stage(master.pipeline("Sales"), "Won back", sort=25)
    run = house.start(by=WATCH, delta=True, accounts=[house.accounts["north"]])
    AccountRun.objects.filter(run=run).update(fence=1)

    assert outcome(work(house, run)) == WHOLE


def test_limits_hold_for_a_delta_and_count_all_items(house: House, master: SimAccount, north: SimAccount) -> None:
    """The share of updates is that of the whole account, though a part was read."""
    SyncGroup.objects.update(max_update_share=20, limit_minimum_items=1)
    edits.change(master, "field", master.field("leads", "Source").id, name="Origin")
    few = follow(house)
    for stage in master.pipeline("Sales").ordinary:
        edits.change(master, "stage", [master.pipeline("Sales").id, stage.id], name=f"{stage.name}!")
    many = follow(house)

    assert outcome(few) == PART
    account_run = account_runs(many)["north"]
    assert (account_run.state, account_run.reason, account_run.requests) == ("refused", "guard", 1)
    assert asked(house, "north")[-1].method == "GET"


def test_a_plan_of_a_part_is_approved_and_applied(house: House, master: SimAccount, north: SimAccount) -> None:
    master.add_stage(master.pipeline("Sales"), "Won back", sort=25)
    planned = follow(house, mode="plan")
    applied = work(house, approvals.approve(planned, by=ANNA))

    assert outcome(planned) == ("planned", 1, True)
    assert outcome(applied) == WHOLE, "its drift is known by now, so it is read whole"
