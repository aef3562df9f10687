"""Rolling back runs that have read only a part of an account: only that part goes back, whatever the rest is by now."""

import pytest

from accounts.models import SyncGroup
from accounts.simulator import edits
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Fault
from accounts.simulator.server import RunningServer
from syncing.engine.delta import PIPELINES, PartRead
from syncing.engine.refs import Kind
from syncing.engine.snapshot import Snapshot, packed, unpacked
from syncing.models import AccountRun, SlaveSnapshot, SyncRun
from syncing.records.snapshots import part_of, store_snapshot
from syncing.services import rollback
from syncing.services.actors import WATCH
from syncing.tests.branches import read
from syncing.tests.crm import ANNA, account_runs, asked, look, synced, work
from syncing.tests.house import House


@pytest.fixture
def master(house: House) -> SimAccount:
    found = house.world.accounts["master"]
    pipeline = found.add_pipeline("Sales", stages=["New", "Offer", "Contract"])
    group = found.add_group("leads", "Deal")
    found.add_field("leads", "Source", "select", enums=["Web", "Phone"], group=group)
    found.add_field("leads", "Notes", "textarea", required_statuses=[(pipeline.id, pipeline.stage("Offer").id)])
    found.describe(pipeline.stage("Offer"), "newbie", "Call them.")
    SyncGroup.objects.update(max_update_share=100, max_delete_share=100)
    synced(house, accounts=[house.accounts["north"]])
    return found


@pytest.fixture
def north(house: House, master: SimAccount) -> SimAccount:
    return house.world.accounts["north"]


def follow(house: House) -> SyncRun:
    return synced(house, by=WATCH, delta=True, accounts=[house.accounts["north"]])


def roll_back(house: House, run: SyncRun) -> AccountRun:
    back = rollback.start(run, accounts=[house.accounts["north"]], mode="apply", by=ANNA, reason="It was wrong.")
    return account_runs(work(house, back))["north"]


def before_of(run: SyncRun) -> SlaveSnapshot:
    return SlaveSnapshot.objects.get(account_run__run=run)


def test_what_a_delta_wrote_goes_back_and_nothing_else_is_looked_at(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    """What people did meanwhile, in lists that were read and in others, stays as they did it."""
    before = look(north)
    edits.change(master, "stage", [master.pipeline("Sales").id, master.stage("Sales", "New").id], name="Fresh")
    master.add_stage(master.pipeline("Sales"), "Won back", sort=25)
    run = follow(house)
    edits.change(north, "field", north.field("leads", "Notes").id, name="Remarks")
    north.add_field("leads", "Own field")
    north.add_stage(north.pipeline("Sales"), "Own stage")
    since = len(house.world.log)

    back = roll_back(house, run)

    assert account_runs(run)["north"].delta
    assert (back.state, back.delta) == ("changed", True)
    assert not [record for record in asked(house, "north", since) if "custom_fields" in record.path]
    after = look(north)
    assert [stage.name for stage in north.pipeline("Sales").ordinary] == ["New", "Offer", "Contract", "Own stage"]
    assert before["groups"] == after["groups"]
    assert north.field("leads", "Remarks")
    assert north.field("leads", "Own field")
    assert not back.document["conflicts"]
    assert "Own field" not in {row["name"] for row in back.document["extras"]}


def test_fields_groups_and_their_options_go_back_too(house: House, master: SimAccount, north: SimAccount) -> None:
    before = look(north)
    source = master.field("leads", "Source")
    money = master.add_group("leads", "Money")
    edits.change(master, "field", source.id, name="Origin", group_id=money.id)
    edits.add(master, "enum", field_id=source.id, value="Fair")
    edits.change(master, "field", master.field("leads", "Notes").id, required_statuses=[])
    run = follow(house)
    assert look(north) != before

    back = roll_back(house, run)

    assert (account_runs(run)["north"].delta, back.state) == (True, "changed")
    assert look(north) == before


def test_a_description_that_was_changed_goes_back(house: House, master: SimAccount, north: SimAccount) -> None:
    before = look(north)
    master.describe(master.stage("Sales", "Offer"), "newbie", "Write to them.")
    run = follow(house)
    assert look(north) != before

    roll_back(house, run)

    assert part_of(before_of(run)) == PartRead(frozenset({PIPELINES}), frozenset({str(north.pipeline("Sales").id)}))
    assert look(north) == before


def test_a_rollback_can_be_rolled_back(house: House, master: SimAccount, north: SimAccount) -> None:
    edits.change(master, "field", master.field("leads", "Source").id, name="Origin")
    run = follow(house)
    done = look(north)
    back = roll_back(house, run).run

    again = roll_back(house, back)

    assert (again.state, look(north)) == ("changed", done)


def test_an_attempt_that_reads_all_completes_what_was_stored_before(
    house: House, master: SimAccount, north: SimAccount, simulator: RunningServer
) -> None:
    """The first attempt had only assumed the fields; they were not written until the second one read them."""
    run = synced(house, accounts=[house.accounts["north"]])
    account_run = account_runs(run)["north"]
    now = read(simulator, north)
    old = Snapshot(tuple(each for each in now.pipelines if each.is_main), now.groups, ())
    part = PartRead(frozenset({PIPELINES, (Kind.FIELD_GROUP, "leads")}), frozenset())
    store_snapshot(account_run.pk, account_run.account_id, packed(old), part)

    store_snapshot(account_run.pk, account_run.account_id, packed(now))

    row = before_of(run)
    assert part_of(row) is None
    assert unpacked(bytes(row.document)).fields == now.fields
    assert unpacked(bytes(row.document)).pipelines == old.pipelines
    store_snapshot(account_run.pk, account_run.account_id, packed(Snapshot(())))
    assert unpacked(bytes(before_of(run).document)).fields == now.fields, "of two whole ones the first stays"


def test_a_delta_that_has_to_read_all_after_all_can_be_rolled_back_whole(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    """A list that was not read is edited; what was read does not become as it should: then all of it is put right."""
    edits.change(north, "field", north.field("leads", "Notes").id, name="Remarks")
    edits.change(master, "stage", [master.pipeline("Sales").id, master.stage("Sales", "New").id], name="Fresh")
    master.add_stage(master.pipeline("Sales"), "Won back", sort=25)
    house.world.faults.add(Fault("404", subdomain="north", method="PATCH", path="/statuses/"))
    before = look(north)

    run = follow(house)
    after = account_runs(run)["north"]
    back = roll_back(house, run)

    assert (after.state, after.delta, part_of(before_of(run))) == ("changed", False, None)
    names = {(each["action"], each["name"]) for each in after.document["changes"]}
    assert names == {("update", "Fresh"), ("create", "Won back"), ("update", "Notes")}
    assert back.state == "changed"
    assert look(north) == before
