"""Names that an account stores otherwise, over whole runs: remembered, shown as drift, no business of the limits."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User

from accounts.simulator.account import SimAccount
from syncing.models import Drift, IdMapping, StoredName
from syncing.services.approvals import approve
from syncing.tests.crm import ANNA, account_runs, planned, synced, work, writes
from syncing.tests.house import House


@pytest.fixture
def north(house: House) -> SimAccount:
    """The only slave that escapes; the master has nothing but names that it escapes, more than the limits allow."""
    master = house.world.accounts["master"]
    for number in range(12):
        master.add_pipeline(f"A & {number}", stages=["R&D"])
    master.add_field("leads", "F & G", "select", enums=["x & y", "z"])
    for name in ("south", "west", "east"):
        house.accounts[name].delete()
    return house.world.accounts["north"]


def test_names_that_are_stored_otherwise_are_remembered_and_written_once(house: House, north: SimAccount) -> None:
    house.world.variants.stored_names = "escape"

    first = synced(house)
    rows = list(StoredName.objects.values_list("kind", "sent", "shown"))
    mapped = set(IdMapping.objects.values_list("kind", "master_key", "slave_key"))
    since = len(house.world.log)
    again, plan = synced(house), planned(house)

    assert (first.state, again.state, plan.state) == ("partial", "partial", "partial")
    assert ("enum", "x & y", "x &amp; y") in rows
    assert len(rows) == 12 + 12 + 1 + 1
    assert writes(house, "north", since) == []
    account_run = account_runs(again)["north"]
    assert (account_run.state, account_run.reason, account_run.updated, account_run.requests) == (
        "partial",
        "bad_answer",
        0,
        7,
    )
    assert len(account_run.document["changes"]) == len(rows)
    assert set(IdMapping.objects.values_list("kind", "master_key", "slave_key")) == mapped
    drift = Drift.objects.get(pk=house.accounts["north"].pk)
    assert (drift.state, drift.count) == (Drift.State.DRIFTED, len(rows))


def test_names_that_are_stored_otherwise_do_not_keep_a_plan_from_approval(house: House, north: SimAccount) -> None:
    house.world.variants.stored_names = "escape"
    synced(house)
    house.world.accounts["master"].add_field("leads", "This & that")

    plan = planned(house)
    approved = work(house, approve(plan, by=replace(ANNA, user=User.objects.create_superuser("ben"))))

    account_run = account_runs(plan)["north"]
    assert (plan.state, account_run.state, account_run.reason, account_run.created) == ("planned", "planned", "", 1)
    told = [row["message"] for row in account_run.document["changes"] if row["outcome"] != "planned"]
    assert len(told) == 12 + 12 + 1 + 1
    assert all("stores it as" in message for message in told)
    assert north.field("leads", "This &amp; that")
    assert (approved.state, account_runs(approved)["north"].created) == ("partial", 1)


def test_what_is_stored_otherwise_no_more_is_forgotten(house: House, north: SimAccount) -> None:
    house.world.variants.stored_names = "escape"
    synced(house)
    house.world.variants.stored_names = ""
    master = house.world.accounts["master"]
    for pipeline in master.pipelines.values():
        pipeline.name += "!"
    house.group.max_update_share = 100
    house.group.save()

    synced(house)

    assert not StoredName.objects.filter(kind="pipeline").exists()
    assert {p.name for p in master.pipelines.values()} == {p.name for p in north.pipelines.values()}


def test_the_next_run_at_once_looks_again_for_what_a_late_reading_hides(
    house: House, north: SimAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncing.conf.FRESH", 60.0)
    monkeypatch.setattr("syncing.replication.account_reading.LAG", 0.0)
    house.world.variants.stale_reads = 7
    synced(house)
    for each in north.past:
        each.left = 7
    since = len(house.world.log)

    run = synced(house)

    assert (run.state, writes(house, "north", since)) == ("succeeded", [])
