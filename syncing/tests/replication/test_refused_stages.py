"""A stage that is refused with a new pipeline, without a word about which one it is, costs only itself."""

import pytest

from accounts.simulator.faults import Fault
from accounts.simulator.server import RunningServer
from syncing.adapters.repairs import halves_and_quarters
from syncing.tests.branches import Branch, Scene, changes

BAD = "<script>"
SIX = ["New", "Called", "Offer", "Deal", "Paid", "Sent"]


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def refuses(scene: Scene, text: str = BAD) -> Fault:
    """A plain 400 for every write that holds `text`."""
    body = '{"title":"Bad Request","status":400,"detail":"Bad Request"}'
    return scene.fault("answer", scene_branch(scene), method="write", holds=text, times=None, status=400, body=body)


def scene_branch(scene: Scene) -> Branch:
    return Branch(scene.server, scene.world.accounts["north"])


def failed(result: object) -> list[str]:
    return [each["name"] for each in changes(result) if each["outcome"] != "done"]  # type: ignore[arg-type]


def names(north: Branch, pipeline: str) -> list[str]:
    return [stage.name for stage in north.account.pipeline(pipeline).ordinary]


@pytest.mark.parametrize("at", range(7))
def test_the_pipeline_is_made_with_its_other_stages_in_their_order(scene: Scene, at: int) -> None:
    stages = [*SIX[:at], BAD, *SIX[at:]]
    scene.master.add_pipeline("Sales", stages=stages)
    scene.master.add_pipeline("Support", stages=["Open"])
    north = scene.branch()
    fault = refuses(scene)

    result = north.sync(scene.desired())

    assert names(north, "Sales") == SIX
    assert names(north, "Support") == ["Open"]
    assert (result.state, result.reason, failed(result)) == ("partial", "validation", [BAD])
    assert fault.hits <= 12
    assert result.created == 1 + 6 + 1 + 1
    kept = [stage.id for stage in north.account.pipeline("Sales").stages]
    for _ in range(3):
        fault.hits = 0
        again = north.sync(scene.desired())
        assert (again.state, failed(again), again.created) == ("partial", [BAD], 0)
        assert fault.hits <= 2
        assert [stage.id for stage in north.account.pipeline("Sales").stages] == kept


def test_two_refused_stages_cost_only_themselves(scene: Scene) -> None:
    scene.master.add_pipeline("Sales", stages=[f"{BAD} 1", "New", f"{BAD} 2"])
    north = scene.branch()
    refuses(scene)

    result = north.sync(scene.desired())

    assert names(north, "Sales") == ["New"]
    assert failed(result) == [f"{BAD} 1", f"{BAD} 2"]


def test_the_names_of_won_and_lost_and_the_colours_come_with_it(scene: Scene) -> None:
    pipeline = scene.master.add_pipeline("Sales", stages=["New", "Offer", BAD])
    pipeline.stage(142).name = "Paid"
    north = scene.branch()
    refuses(scene)

    north.sync(scene.desired())

    made = north.account.pipeline("Sales")
    assert made.stage(142).name == "Paid"
    assert [stage.color for stage in made.ordinary] == [stage.color for stage in pipeline.ordinary[:2]]


def test_a_field_that_is_required_in_a_stage_that_comes_later_is_so_in_the_same_run(scene: Scene) -> None:
    pipeline = scene.master.add_pipeline("Sales", stages=["New", BAD, "Offer"])
    field = scene.master.add_field("leads", "Budget")
    field.required_statuses = [(pipeline.id, pipeline.stage("Offer").id)]
    north = scene.branch()
    refuses(scene)

    result = north.sync(scene.desired())

    mine = north.account.pipeline("Sales")
    assert failed(result) == [BAD]
    assert north.account.field("leads", "Budget").required_statuses == [(mine.id, mine.stage("Offer").id)]


def test_a_pipeline_whose_own_name_is_refused_fails_with_its_stages_in_bounded_requests(scene: Scene) -> None:
    for number in range(6):
        scene.master.add_pipeline(f"{BAD} {number}", stages=["New", "Called", "Offer", "Deal"])
    scene.master.add_pipeline("Sales", stages=["New"])
    north = scene.branch()
    fault = refuses(scene)

    result = north.sync(scene.desired())

    assert [p.name for p in north.account.ordered_pipelines][1:] == ["Sales"]
    assert result.state == "partial"
    assert len(failed(result)) == 6 * 5
    assert fault.hits <= 30


def test_an_answer_that_is_lost_on_the_way_makes_nothing_twice(scene: Scene) -> None:
    scene.master.add_pipeline("Sales", stages=["New", "Called", BAD, "Offer"])
    north = scene.branch()
    refuses(scene)
    scene.fault("reset_applied", north, method="POST", holds='"Offer"')
    scene.fault("reset_applied", north, method="POST", holds='"New"')

    result = north.sync(scene.desired())

    assert names(north, "Sales") == ["New", "Called", "Offer"]
    assert failed(result) == [BAD]


@pytest.mark.parametrize(
    ("items", "parts"),
    [("", []), ("a", []), ("ab", ["a", "b"]), ("abc", ["ab", "c", "a", "b", "c"]),
     ("abcde", ["abc", "de", "ab", "cd", "e"])],
)  # fmt: skip
def test_parts_of_a_list_to_try_are_its_halves_then_its_quarters(items: str, parts: list[str]) -> None:
    assert halves_and_quarters(items) == parts
