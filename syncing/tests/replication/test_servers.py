"""Servers that are not as we think: they number otherwise, forget, or are the other way where sources disagree."""

from collections.abc import Callable

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.compare import differences
from accounts.simulator.model import SimPipeline
from accounts.simulator.seed import drift, seed_random
from accounts.simulator.server import RunningServer
from syncing.tests.branches import Branch, Scene, changes

Numbering = Callable[[SimPipeline], None]


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def by_one(pipeline: SimPipeline) -> None:
    """1, 2, 3."""
    for at, stage in enumerate(pipeline.ordinary, start=1):
        stage.sort = at


def by_hundred(pipeline: SimPipeline) -> None:
    for at, stage in enumerate(pipeline.ordinary, start=1):
        stage.sort = 100 * at


def by_creation(pipeline: SimPipeline) -> None:
    """Whatever sort is asked for: stages stand in the order of their making."""
    for at, stage in enumerate(sorted(pipeline.ordinary, key=lambda each: each.id), start=1):
        stage.sort = 10 * at


def renumber(account: SimAccount, number: Numbering) -> None:
    """The account numbers its stages in this way at every write."""
    plain = account.renumber_stages

    def renumber_stages(pipeline: SimPipeline) -> None:
        plain(pipeline)
        number(pipeline)
        plain(pipeline)

    account.renumber_stages = renumber_stages  # type: ignore[method-assign]


def new_stages_last(account: SimAccount) -> None:
    """The sort of a new stage is ignored (a PATCH is heard)."""
    plain, seen = account.renumber_stages, set()

    def renumber_stages(pipeline: SimPipeline) -> None:
        for stage in pipeline.ordinary:
            if (pipeline.id, stage.id) not in seen:
                seen.add((pipeline.id, stage.id))
                stage.sort = 9_000 + len(seen)
        plain(pipeline)

    account.renumber_stages = renumber_stages  # type: ignore[method-assign]


def shuffled(scene: Scene, prepare: Callable[[SimAccount], None]) -> Branch:
    """A master of eight stages, and a slave that has six of them the wrong way round, and two of its own."""
    scene.master.add_pipeline("Sales", stages=[(name, "#fffeb2") for name in "ABCDEFGH"])
    north = scene.branch()
    own = [(name, "#fffeb2") for name in ("F", "Own 1", "D", "A", "Own 2", "C", "H", "B")]
    mine = north.account.add_pipeline("Sales", stages=own)
    prepare(north.account)
    north.account.renumber_stages(mine)
    return north


def ordered(north: Branch) -> str:
    return "".join(stage.name for stage in north.account.pipeline("Sales").ordinary if len(stage.name) == 1)


@pytest.mark.parametrize("number", [by_one, by_hundred])
def test_the_order_of_stages_is_reached_however_the_server_numbers_them(scene: Scene, number: Numbering) -> None:
    north = shuffled(scene, lambda account: renumber(account, number))

    result = north.sync(scene.desired())

    assert (result.state, ordered(north)) == ("changed", "ABCDEFGH")
    assert {change["outcome"] for change in result.document["changes"]} == {"done"}
    assert result.requests <= 45
    assert north.sync(scene.desired()).state == "in_sync"


def test_the_order_is_reached_where_the_server_keeps_the_numbers_as_sent(scene: Scene) -> None:
    scene.world.variants.renumber = False
    north = shuffled(scene, lambda account: None)

    result = north.sync(scene.desired())

    assert (result.state, ordered(north)) == ("changed", "ABCDEFGH")
    assert result.requests <= 7 + 8 + 9


def test_the_order_is_reached_where_all_numbers_are_alike(scene: Scene) -> None:
    scene.world.variants.renumber = False

    def alike(account: SimAccount) -> None:
        for stage in account.pipeline("Sales").ordinary:
            stage.sort = 500

    north = shuffled(scene, alike)

    result = north.sync(scene.desired())

    assert (result.state, ordered(north)) == ("changed", "ABCDEFGH")


def test_the_order_is_reached_where_new_stages_always_come_last(scene: Scene) -> None:
    north = shuffled(scene, new_stages_last)

    result = north.sync(scene.desired())

    assert (result.state, ordered(north)) == ("changed", "ABCDEFGH")


def test_an_order_that_cannot_be_reached_is_said_in_bounded_requests(scene: Scene) -> None:
    north = shuffled(scene, lambda account: renumber(account, by_creation))

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "bad_answer")
    doubted = changes(result, outcome="unverified")
    assert doubted
    assert all("position" in change["message"] for change in doubted)
    assert result.requests <= 70
    assert set(ordered(north)) == set("ABCDEFGH")


def test_the_order_of_pipelines_that_cannot_be_set_is_said_in_bounded_requests(scene: Scene) -> None:
    for name in ("A", "B", "C"):
        scene.master.add_pipeline(name, stages=["New"])
    north = scene.branch()
    for name in ("C", "B", "A"):
        north.account.add_pipeline(name, stages=["New"])
    stuck = {pipeline.id: pipeline.sort for pipeline in north.account.pipelines.values()}
    plain = north.account.renumber_main_pipeline

    def renumber_main_pipeline() -> None:
        plain()
        for number, sort in stuck.items():
            north.account.pipelines[number].sort = sort

    north.account.renumber_main_pipeline = renumber_main_pipeline  # type: ignore[method-assign]

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "bad_answer")
    assert {change["kind"] for change in changes(result, outcome="unverified")} == {"pipeline"}
    assert result.requests <= 40


READINGS = {
    "palette": False,
    "palette_case_sensitive": True,
    "renumber": False,
    "main_pipeline_first": False,
    "unset_main": "400",
    "system_stage_patch": "400",
    "stage_patch_blanks_name": False,
    "default_stages": True,
    "code_patch_only_null": False,
    "monetary_patch_needs_currency": False,
    "enums_required_on_patch": True,
    "batch_patch_enums_as_object": False,
    "group_null_patch_rejected": False,
    "main_group_shown_as": "default",
    "fields_created_status": 200,
    "groups_created_status": 200,
    "batch_504_above": 2,
}


@pytest.mark.parametrize(("variant", "value"), READINGS.items(), ids=list(READINGS))
def test_the_second_reading_of_a_conflict_in_the_sources_is_replicated_as_well(
    scene: Scene, variant: str, value: object
) -> None:
    setattr(scene.world.variants, variant, value)
    seed_random(scene.master, 21, descriptions=True)
    fresh, south = scene.branch("north"), scene.branch("south", language="pt")
    seed_random(south.account, 22)
    desired = scene.desired()
    for branch in (fresh, south):
        result = branch.sync(desired)
        assert result.state == "changed" or result.reason == "conflict", result.document
    drift(scene.master, 23, edits=4)
    desired = scene.desired()
    fresh.sync(desired)

    assert differences(scene.master, fresh.account) == []
    again = fresh.sync(desired)
    assert (again.state, again.document["changes"]) == ("in_sync", [])
    assert fresh.wounds == south.wounds == (0, 0, 0)


@pytest.mark.parametrize("status", [400, 422])
def test_limits_that_are_lower_than_we_know_are_a_refusal_of_what_does_not_fit(scene: Scene, status: int) -> None:
    scene.world.variants.limit_status = status
    scene.world.variants.max_pipelines, scene.world.variants.max_stages = 3, 6
    scene.master.add_pipeline("Small", stages=["A", "B"])
    scene.master.add_pipeline("Big", stages=list("ABCDEFGH"))
    scene.master.add_field("leads", "Source")
    north = scene.branch()

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "validation")
    assert [stage.name for stage in north.account.pipeline("Big").ordinary] == list("ABC")
    assert [change["name"] for change in changes(result, kind="stage", outcome="failed")] == list("DEFGH")
    assert [stage.name for stage in north.account.pipeline("Small").ordinary] == list("AB")
    assert changes(result, kind="custom_field", outcome="done")
    assert result.requests <= 40
