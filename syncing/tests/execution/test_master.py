"""The master: read once, believed only if it can be, and no slave asked if not."""

import pytest

from accounts.models import Account, SyncGroup
from accounts.simulator.account import SimAccount
from accounts.simulator.edits import change, remove
from accounts.simulator.faults import Fault
from accounts.simulator.world import World
from syncing import policy
from syncing.models import LogEntry, MasterSnapshot, RunType, SyncRun
from syncing.tests.house import SLAVES, House


@pytest.fixture
def sim(house: House, world: World) -> SimAccount:
    """The simulated master, with twelve pipelines."""
    account = world.accounts["master"]
    for number in range(11):
        account.add_pipeline(f"Branch {number}", stages=["Begun"])
    return account


def ended(house: House, **facts: object) -> SyncRun:
    run = house.start(**facts)
    house.work()
    run.refresh_from_db()
    return run


def slaves_asked(world: World) -> int:
    return sum(len(world.log.of(name)) for name in SLAVES)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("401", "unauthorised"), ("402", "unpaid"), ("403_json", "forbidden"), ("garbage", "bad_answer")],
)
def test_a_master_that_cannot_be_read_fails_the_run_and_no_slave_is_asked(
    house: House, world: World, fault: str, reason: str
) -> None:
    world.faults.add(Fault(fault, subdomain="master", times=None))

    run = ended(house)

    assert (run.state, run.reason, run.error["code"]) == ("failed", reason, reason)
    assert run.error["remedy"]
    assert set(run.account_runs.values_list("state", "reason")) == {("skipped", reason)}
    assert slaves_asked(world) == 0
    assert run.master_requests > 0


def test_the_masters_health_shows_why_it_could_not_be_read(house: House, world: World) -> None:
    world.faults.add(Fault("402", subdomain="master", times=None))

    ended(house)

    assert Account.objects.get(subdomain="master").health == "unpaid"


def test_the_first_contact_keeps_whose_account_the_master_is(house: House, world: World) -> None:
    ended(house)

    assert Account.objects.get(subdomain="master").kommo_id == world.accounts["master"].account_id


def test_another_account_behind_the_masters_subdomain_is_not_copied(house: House, world: World) -> None:
    Account.objects.filter(subdomain="master").update(kommo_id=4711)

    run = ended(house)

    assert (run.state, run.reason) == ("failed", "wrong_account")
    assert "4711" in run.error["message"]
    assert slaves_asked(world) == 0


def test_the_master_is_never_written(house: House, sim: SimAccount, world: World) -> None:
    ended(house)

    assert {record.method for record in world.log.of("master")} == {"GET"}


# -- the guard --


def test_bug_3_an_empty_answer_of_the_master_is_refused(house: House, world: World) -> None:
    world.faults.add(Fault("no_content", subdomain="master", path="/leads/pipelines", times=None))

    run = ended(house)

    assert (run.state, run.reason) == ("refused", "guard")
    assert set(run.account_runs.values_list("state", "reason")) == {("skipped", "guard")}
    assert slaves_asked(world) == 0


def shrink(sim: SimAccount) -> None:
    for number in range(6):
        remove(sim, "pipeline", sim.pipeline(f"Branch {number}").id)


def test_a_master_that_lost_half_is_refused_with_the_numbers_and_the_way_out(
    house: House, sim: SimAccount, world: World
) -> None:
    ended(house)
    shrink(sim)
    world.log.clear()

    run = ended(house)

    assert (run.state, run.reason) == ("refused", "guard")
    assert "6 of 12 pipelines" in run.error["message"]
    assert "--force" in run.error["remedy"]
    assert slaves_asked(world) == 0


def test_a_run_of_one_type_is_compared_with_a_full_reading(house: House, sim: SimAccount, world: World) -> None:
    ended(house)
    shrink(sim)

    assert ended(house, type=RunType.PIPELINES).state == "refused"


def test_a_forced_run_copies_a_shrunken_master_and_keeps_the_reason(house: House, sim: SimAccount) -> None:
    ended(house)
    shrink(sim)

    run = ended(house, forced=True, force_reason="We closed six branches")

    assert run.state == "succeeded"
    entry = LogEntry.objects.get(run=run, code="forced")
    assert "We closed six branches" in entry.message
    assert ended(house).state == "succeeded"  # the smaller master is the accepted one now


def test_a_refused_reading_is_not_what_the_next_one_is_compared_with(house: House, sim: SimAccount) -> None:
    ended(house)
    shrink(sim)
    ended(house)

    assert ended(house).state == "refused"


# -- snapshots --


def test_an_unchanged_master_keeps_its_stored_snapshot(house: House, sim: SimAccount) -> None:
    first, second = ended(house), ended(house)
    change(sim, "pipeline", sim.pipeline("Branch 1").id, name="Main street")
    third = ended(house)

    assert first.snapshot_id == second.snapshot_id != third.snapshot_id
    assert MasterSnapshot.objects.count() == 2


@pytest.mark.parametrize(("run_type", "has_fields"), [("full", True), ("pipelines", False), ("custom_fields", True)])
def test_a_run_reads_only_what_it_covers(house: House, run_type: str, has_fields: bool) -> None:
    run = ended(house, type=run_type)

    assert run.snapshot is not None
    assert run.snapshot.type == run_type
    assert (run.snapshot.document["fields"] is not None) == has_fields


@pytest.mark.parametrize(
    ("pipelines", "fields", "run_type", "scope"),
    [
        (True, True, RunType.FULL, "full"),
        (True, False, RunType.FULL, "pipelines"),
        (False, True, RunType.FULL, "custom_fields"),
        (True, True, RunType.PIPELINES, "pipelines"),
        (False, True, RunType.PIPELINES, None),
        (True, False, RunType.CUSTOM_FIELDS, None),
    ],
)
def test_the_policy_of_the_group_narrows_what_a_run_covers(
    pipelines: bool, fields: bool, run_type: str, scope: str | None
) -> None:
    assert policy.scope_of(run_type, SyncGroup(sync_pipelines=pipelines, sync_custom_fields=fields)) == scope


def test_a_run_whose_master_was_taken_away_meanwhile_fails(house: House) -> None:
    run = house.start()
    Account.objects.filter(role="master").update(role="slave")

    house.work()

    run.refresh_from_db()
    assert (run.state, run.reason) == ("failed", "not_found")


def test_an_odd_item_of_the_master_is_logged_and_is_no_shrinking(house: House, sim: SimAccount, world: World) -> None:
    house.group.max_master_shrink = 1
    house.group.shrink_minimum_items = 1
    house.group.save()
    ended(house)
    odd = sim.pipeline("Branch 3")
    world.faults.add(Fault("odd", subdomain="master", item=odd.id, at="name", missing=True, times=None))

    run = ended(house)

    assert run.state == "succeeded", run.error
    entry = LogEntry.objects.get(run=run, code="held_back")
    assert f"the pipeline '#{odd.id}' has an unexpected shape (id {odd.id}: name: it is missing)" in entry.message
    world.faults.clear()
    remove(sim, "pipeline", odd.id)
    run = ended(house)
    assert (run.state, run.reason) == ("refused", "guard"), "what was held back counts as what was there"


def test_where_the_policy_deletes_an_odd_item_is_not_asked_for_as_if_it_were_gone(
    house: House, sim: SimAccount, world: World
) -> None:
    house.group.unmatched_pipelines = "delete_created"
    house.group.save()
    ended(house)
    odd = sim.pipeline("Branch 3")
    world.faults.add(Fault("odd", subdomain="master", item=odd.id, at="name", missing=True, times=None))

    run = ended(house)

    assert run.state == "succeeded", run.error
    assert not [record for record in world.log.of("master") if record.path.endswith(f"/{odd.id}")]
    assert run.deletes_allowed
