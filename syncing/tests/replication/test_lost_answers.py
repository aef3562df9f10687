"""Guarantee 2 of docs/lifecycle.md: whatever becomes of the answer to a POST, everything is made once."""

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.server import RunningServer
from syncing.engine.refs import Kind, Ref
from syncing.tests.branches import Branch, Scene, changes, inventory

PATHS = {
    "pipelines": "/leads/pipelines",
    "statuses": "/statuses",
    "groups": "/leads/custom_fields/groups",
    "fields": "/leads/custom_fields",
}
APPLIED = ("reset_applied", "504_applied", "500_applied", "empty", "garbage", "truncated", "half")
NOT_APPLIED = ("reset", "504", "500")
ODD = (
    '{"_embedded": []}',
    '{"_embedded": {"pipelines": 7, "statuses": 7, "custom_fields": 7, "custom_field_groups": 7}}',
    '{"_embedded": {"pipelines": [{"id": 1, "request_id": "0"}], "custom_fields": [7], "statuses": [{"id": "x"}]}}',
)


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    made = Scene(simulator)
    made.master.pipelines.clear()
    made.master.add_pipeline("Sales", stages=["New", "Offer"])
    made.master.add_pipeline("Service", stages=["Ticket"])
    group = made.master.add_group("leads", "Deal")
    made.master.add_group("leads", "Money")
    made.master.add_field("leads", "Source", "select", enums=["Web", "Fair"], group=group)
    made.master.add_field("leads", "Kind", "multiselect", enums=[("A", "CODE_A"), "B"], group=group)
    budget = made.master.add_field("leads", "Budget", "numeric")
    sales = made.master.pipeline("Sales")
    budget.required_statuses = [(sales.id, sales.stage("Offer").id)]
    return made


def branch(scene: Scene) -> Branch:
    """A slave that has one of the pipelines, but not all of its stages."""
    north = scene.branch()
    north.account.pipelines.clear()
    north.account.add_pipeline("Service", stages=["Own"])
    return north


def assert_made_once(scene: Scene, north: Branch) -> None:
    assert differences(scene.master, north.account) == []
    assert {row: count for row, count in inventory(north.account).items() if count > 1} == {}


def assert_mappings_right(north: Branch) -> None:
    """Every option has its own id in the mappings, and no two share one (`Branch.record` sees to that)."""
    mapped = {key for ref, key in north.known.items() if ref.kind is Kind.ENUM}
    for name in ("Source", "Kind"):
        mine = north.account.field("leads", name)
        assert {f"leads/{mine.id}/{enum.id}" for enum in mine.enums} <= mapped


def assert_made_by_us(north: Branch) -> None:
    ours = {str(kind): {name for name, made in north.ours(kind).items() if made} for kind in Kind}
    assert ours == {
        "pipeline": {"Sales"},
        "stage": {"New", "Offer", "Ticket"},
        "field_group": {"Deal", "Money"},
        "custom_field": {"Source", "Kind", "Budget"},
        "enum": {"Web", "Fair", "A", "B"},
    }


@pytest.mark.parametrize("kind", [*APPLIED, *NOT_APPLIED])
@pytest.mark.parametrize("what", PATHS)
def test_a_lost_answer_to_a_post_makes_nothing_twice(scene: Scene, what: str, kind: str) -> None:
    north = branch(scene)
    fault = scene.fault(kind, north, method="POST", path=PATHS[what])

    result = north.sync(scene.desired())

    assert fault.hits == 1
    assert (result.state, result.reason) == ("changed", None)
    assert {change["outcome"] for change in result.document["changes"]} == {"done"}
    assert_made_once(scene, north)
    assert_mappings_right(north)
    assert_made_by_us(north)
    assert north.sync(scene.desired()).state == "in_sync"


@pytest.mark.parametrize("body", ODD)
@pytest.mark.parametrize("what", PATHS)
def test_an_answer_of_a_wrong_shape_is_a_lost_answer(scene: Scene, what: str, body: str) -> None:
    north = branch(scene)
    scene.fault("answer", north, method="POST", path=PATHS[what], body=body)

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("changed", None)
    assert_made_once(scene, north)
    assert_mappings_right(north)
    assert_made_by_us(north)


@pytest.mark.parametrize("second", ["500", "reset", "empty", "429"])
@pytest.mark.parametrize("what", PATHS)
def test_the_looking_up_after_a_lost_answer_may_fail_once_too(scene: Scene, what: str, second: str) -> None:
    north = branch(scene)
    desired = scene.desired()
    scene.fault("reset_applied", north, method="POST", path=PATHS[what])
    scene.fault(second, north, method="GET", path=PATHS[what], skip=1 if what != "statuses" else 0)

    result = north.sync(desired)

    assert (result.state, result.reason) == ("changed", None)
    assert_made_once(scene, north)
    assert_mappings_right(north)


@pytest.mark.parametrize("what", PATHS)
def test_an_empty_list_after_a_lost_answer_is_no_proof_that_nothing_was_made(scene: Scene, what: str) -> None:
    north = branch(scene)
    desired = scene.desired()
    scene.fault("reset_applied", north, method="POST", path=PATHS[what])
    reads = {"pipelines": 1, "statuses": 0, "groups": 1, "fields": 2}[what]  # the list of groups has the same path
    scene.fault("no_content", north, method="GET", path=PATHS[what], skip=reads)

    first = north.sync(desired)
    scene.world.faults.clear()
    result = north.sync(desired)

    assert (first.state, first.reason) == ("failed", "bad_answer")
    assert result.state in ("changed", "in_sync")
    assert_made_once(scene, north)
    assert_mappings_right(north)


@pytest.mark.parametrize("what", PATHS)
def test_what_never_gets_through_is_failed_and_nothing_is_made_twice_on_the_next_run(scene: Scene, what: str) -> None:
    north = branch(scene)
    desired = scene.desired()
    fault = scene.fault("504", north, method="POST", path=PATHS[what], times=None)

    result = north.sync(desired)
    scene.world.faults.clear()
    again = north.sync(desired)

    assert (result.state, result.reason) == ("partial", "server_error")
    assert changes(result, outcome="failed")
    assert fault.hits <= 12, "a bounded number of attempts"
    assert again.state == "changed"
    assert_made_once(scene, north)


@pytest.mark.parametrize("kind", ["429", "429_header", "429_plain"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_429_is_waited_for_and_repeated(scene: Scene, method: str, kind: str) -> None:
    north = branch(scene)
    north.sync(scene.desired())
    scene.master.pipeline("Sales").stage("New").name = "Fresh"
    scene.master.add_field("leads", "Later", "text")
    fault = scene.fault(kind, north, method=method, times=3)
    started = north.clock.now

    result = north.sync(scene.desired())

    assert fault.hits == 3
    assert north.clock.now - started >= 3, "a second each time, as Kommo asks"
    assert (result.state, result.reason) == ("changed", None)
    assert_made_once(scene, north)


@pytest.mark.parametrize("kind", ["reset_applied", "504_applied", "500_applied", "garbage", "empty", "reset", "500"])
def test_a_lost_answer_to_a_patch_is_repeated_or_read_again(scene: Scene, kind: str) -> None:
    north = branch(scene)
    north.sync(scene.desired())
    scene.master.pipeline("Sales").name = "Deals"
    scene.master.pipeline("Service").stage("Ticket").name = "Case"
    scene.master.group("leads", "Deal").name = "Business"
    source = scene.master.field("leads", "Source")
    source.enum("Fair").value = "Exhibition"
    desired = scene.desired()
    fault = scene.fault(kind, north, method="PATCH", times=2)

    result = north.sync(desired)

    assert fault.hits == 2
    assert (result.state, result.reason) == ("changed", None)
    assert north.sync(desired).state == "in_sync"
    assert_made_once(scene, north)
    assert north.wounds == (0, 0, 0)


def test_a_pipeline_whose_answer_tells_its_stages_apart_badly_is_mapped_by_the_re_reading(scene: Scene) -> None:
    """Stages of one name in a lost pipeline: the server's order decides, and each has an id of its own."""
    scene.master.add_pipeline("Twins", stages=["Call", "Call", "Call"])
    north = branch(scene)
    scene.fault("reset_applied", north, method="POST", path=PATHS["pipelines"])
    desired = scene.desired()

    north.sync(desired)

    ours = scene.master.pipeline("Twins")
    keys = [north.known[Ref(Kind.STAGE, f"{ours.id}/{stage.id}")] for stage in ours.ordinary]
    mine = north.account.pipeline("Twins")
    assert keys == [f"{mine.id}/{stage.id}" for stage in mine.ordinary]
