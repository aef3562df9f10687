"""Readings that lag behind writes: nothing is made twice, no option gets another id, and nobody waits for nothing."""

import re
from dataclasses import replace

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.server import RunningServer
from syncing.engine.refs import Kind
from syncing.tests.branches import Branch, Scene, inventory


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    made = Scene(simulator)
    made.master.add_pipeline("Sales", stages=["New", "Offer"])
    group = made.master.add_group("leads", "Deal")
    made.master.add_field("leads", "Source", "select", enums=["Web", "Fair"], group=group)
    return made


def edit(scene: Scene) -> None:
    sales = scene.master.pipeline("Sales")
    scene.master.add_stage(sales, "Won again")
    sales.stage("New").name = "Fresh"
    scene.master.group("leads", "Deal").name = "Business"
    source = scene.master.field("leads", "Source")
    scene.master.add_enum(source, "Radio")
    source.enum("Web").value = "Internet"
    scene.master.add_field("leads", "Kind", "multiselect", enums=["A", "B"])


def option_ids(north: Branch) -> dict[str, int]:
    return {enum.value: enum.id for field in north.account.fields["leads"].values() for enum in field.enums}


@pytest.mark.parametrize("late", [1, 3, 8])
def test_a_late_first_reading_makes_nothing_twice_and_gives_no_option_another_id(scene: Scene, late: int) -> None:
    north = scene.branch()
    north.sync(scene.desired())
    edit(scene)
    desired, before = scene.desired(), option_ids(north)
    scene.world.variants.stale_reads = late

    result = north.sync(desired)

    assert (result.state, result.reason) == ("changed", None)
    assert {change["outcome"] for change in result.document["changes"]} == {"done"}
    assert differences(scene.master, north.account) == []
    assert {name: count for name, count in inventory(north.account).items() if count > 1} == {}
    assert {before["Web"], before["Fair"]} <= set(option_ids(north).values())
    scene.world.variants.stale_reads = 0
    assert north.sync(desired).state == "in_sync"
    assert north.wounds == (0, 0, 0)


def test_a_first_sync_under_late_readings_waits_a_few_seconds_and_is_verified(scene: Scene) -> None:
    north = scene.branch()
    scene.world.variants.stale_reads = 6
    desired = scene.desired()

    result = north.sync(desired)

    assert (result.state, result.reason) == ("changed", None)
    assert differences(scene.master, north.account) == []
    assert 0 < north.clock.now <= 15


def test_what_never_shows_is_not_made_again_in_this_run_nor_is_its_id_forgotten(scene: Scene) -> None:
    north = scene.branch()
    north.sync(scene.desired())
    edit(scene)
    desired = scene.desired()
    scene.world.variants.stale_reads = 500
    since = len(north.sent("POST"))

    result = north.sync(desired)

    assert result.state == "partial"
    assert len(north.sent("POST")) == since + 2, "one for the stage, one for the field"
    made = north.account.field("leads", "Kind")
    assert f"leads/{made.id}" in {key for ref, key in north.known.items() if ref.kind is Kind.CUSTOM_FIELD}
    assert north.clock.now <= 30
    scene.world.variants.stale_reads = 0
    north.account.past.clear()
    assert north.sync(desired).state in ("in_sync", "changed")
    assert differences(scene.master, north.account) == []
    assert {name: count for name, count in inventory(north.account).items() if count > 1} == {}
    assert north.wounds == (0, 0, 0)


@pytest.mark.parametrize("fault", ["500_applied", "504_applied", "reset_applied", "garbage"])
@pytest.mark.parametrize(
    "path", ["/leads/pipelines", "/statuses", "/leads/custom_fields/groups", "/leads/custom_fields"]
)
def test_a_lost_answer_and_a_late_reading_together_make_nothing_twice(scene: Scene, path: str, fault: str) -> None:
    north = scene.branch()
    north.account.add_pipeline("Sales", stages=["New"])
    scene.master.add_pipeline("Service", stages=["Ticket"])
    desired = scene.desired()
    scene.world.variants.stale_reads = 1
    scene.fault(fault, north, method="POST", path=path)

    result = north.sync(desired)

    assert result.state in ("changed", "partial")
    scene.world.variants.stale_reads = 0
    north.account.past.clear()
    north.sync(desired)
    assert differences(scene.master, north.account) == []
    assert {name: count for name, count in inventory(north.account).items() if count > 1} == {}
    assert north.wounds == (0, 0, 0)


@pytest.mark.parametrize("applied", ["500_applied", "garbage", "empty"])
@pytest.mark.parametrize("first", ["500", "504"])
def test_a_second_lost_answer_is_waited_for_like_the_first(scene: Scene, first: str, applied: str) -> None:
    for number in range(4):
        scene.master.add_pipeline(f"Pipeline {number}", stages=["New"])
        scene.master.add_stage(scene.master.pipeline("Sales"), f"Stage {number}")
        scene.master.add_field("leads", f"Field {number}")
    north = scene.branch()
    north.account.add_pipeline("Sales", stages=["New"])
    north.account.clock = lambda: 1_800_000_000 + north.clock.now
    north.account.variants = replace(scene.world.variants, stale_seconds=3.0)
    paths = [re.compile(f"{path}$") for path in ("/leads/pipelines", "/statuses", "/leads/custom_fields")]
    faults = [scene.fault(kind, north, method="POST", path=path) for path in paths for kind in (first, applied)]

    assert north.sync(scene.desired()).state == "changed"

    assert all(fault.hits for fault in faults)
    assert differences(scene.master, north.account) == []
    assert {name: count for name, count in inventory(north.account).items() if count > 1} == {}


def test_options_that_are_tried_one_by_one_stay_though_the_readings_between_are_late(scene: Scene) -> None:
    north = scene.branch()
    north.sync(scene.desired())
    for value in ("Radio", "Bad", "Shop", "Mail"):
        scene.master.add_enum(scene.master.field("leads", "Source"), value)
    scene.world.variants.complaint_paths, scene.world.variants.refused_options = "none", "Bad"
    north.account.clock = lambda: 1_800_000_000 + north.clock.now
    north.account.variants = replace(scene.world.variants, stale_seconds=3.0)

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "validation")
    assert sorted(option_ids(north)) == ["Fair", "Mail", "Radio", "Shop", "Web"]


def test_what_was_mapped_a_moment_ago_and_does_not_show_is_looked_for_again(scene: Scene) -> None:
    """The next run starts at once, and its first reading still shows the account as it was before the last write."""
    north = scene.branch()
    desired = scene.desired()
    north.sync(desired)
    ids = option_ids(north)
    scene.world.variants.stale_reads = 7
    scene.master.add_enum(scene.master.field("leads", "Source"), "Radio")
    scene.master.add_field("leads", "Kind", "multiselect", enums=["A", "B"])
    desired = scene.desired()
    north.sync(desired)
    made = option_ids(north)
    for each in north.account.past:
        each.left = 7
    since = len(north.sent("POST", "PATCH"))

    result = north.sync(desired, fresh=frozenset(north.known))

    assert result.state == "in_sync"
    assert len(north.sent("POST", "PATCH")) == since
    assert option_ids(north) == made
    assert ids.items() <= made.items()


def test_a_list_that_keeps_hiding_what_is_there_is_not_believed(scene: Scene) -> None:
    north = scene.branch()
    desired = scene.desired()
    north.sync(desired)
    scene.fault("silent_half", north, method="GET", path="/leads/pipelines", times=2)
    since = len(north.sent("POST", "PATCH"))

    result = north.sync(desired, fresh=frozenset(north.known))

    assert (result.state, result.reason) == ("failed", "bad_answer")
    assert len(north.sent("POST", "PATCH")) == since


def test_what_is_gone_is_made_again_however_fresh_it_was(scene: Scene) -> None:
    north = scene.branch()
    desired = scene.desired()
    north.sync(desired)
    north.account.delete_field(north.account.field("leads", "Source"))

    result = north.sync(desired, fresh=frozenset(north.known))

    assert (result.state, result.created) == ("changed", 1)
    assert differences(scene.master, north.account) == []
