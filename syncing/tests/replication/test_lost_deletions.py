"""A DELETE whose answer was lost: what the repeat answers proves nothing, the item itself does. Gone is gone."""

import pytest

from accounts.simulator.server import RunningServer
from syncing.engine.refs import Kind
from syncing.engine.rules import NO_RULES, Rules, Unmatched
from syncing.tests.branches import Branch, Scene, changes

RULES = Rules(unmatched=dict.fromkeys(Kind, Unmatched.DELETE_CREATED), created=NO_RULES.created)
PATHS = {"stage": "/statuses/", "custom_field": "/contacts/custom_fields/", "field_group": "/groups/", "pipeline": ""}
NAMES = {"stage": "Offer", "custom_field": "Nick", "field_group": "Deal", "pipeline": "Old"}


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    made = Scene(simulator)
    made.master.add_pipeline("Sales", stages=["New", "Offer"])
    made.master.add_pipeline("Old", stages=["Was"])
    made.master.add_group("leads", "Deal")
    made.master.add_field("contacts", "Nick")
    made.master.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    return made


def branch_without(scene: Scene, kind: str) -> Branch:
    """A slave that has everything, after one thing went from the master."""
    north = scene.branch()
    north.sync(scene.desired(), rules=RULES)
    master = scene.master
    if kind == "stage":
        master.delete_stage(master.pipeline("Sales"), master.pipeline("Sales").stage("Offer"))
    elif kind == "custom_field":
        master.delete_field(master.field("contacts", "Nick"))
    elif kind == "field_group":
        master.delete_group("leads", master.group("leads", "Deal"))
    elif kind == "pipeline":
        master.delete_pipeline(master.pipeline("Old"))
    else:
        source = master.field("leads", "Source")
        master.delete_enum(source, source.enum("Fair"))
    return north


def keys(north: Branch, kind: str) -> set[str]:
    return {key for ref, key in north.known.items() if ref.kind == kind}


@pytest.mark.parametrize("status", [400, 404, 405, 403])
@pytest.mark.parametrize("kind", PATHS)
def test_gone_is_gone_whatever_the_repeat_answers(scene: Scene, kind: str, status: int) -> None:
    north = branch_without(scene, kind)
    before = keys(north, kind)
    fault = scene.fault("504_applied", north, method="DELETE", path=PATHS[kind])
    scene.world.variants.deleted_twice_status = status

    result = north.sync(scene.desired(), rules=RULES)

    assert fault.hits == 1
    assert (result.state, result.reason, result.deleted) == ("changed", None, 1)
    assert [each["name"] for each in changes(result, action="delete", outcome="done")] == [NAMES[kind]]
    assert len(before - keys(north, kind)) == 1, "forgotten as well"
    assert north.sync(scene.desired(), rules=RULES).state == "in_sync"


@pytest.mark.parametrize("lost", ["reset_applied", "500_applied"])
def test_a_deletion_that_never_got_an_answer_is_done_if_the_item_is_gone(scene: Scene, lost: str) -> None:
    north = branch_without(scene, "custom_field")
    scene.fault(lost, north, method="DELETE")
    scene.fault("reset" if lost.startswith("reset") else "500", north, method="DELETE", times=None)

    result = north.sync(scene.desired(), rules=RULES)

    assert (result.state, result.deleted) == ("changed", 1)


@pytest.mark.parametrize("kind", PATHS)
def test_what_is_still_there_has_failed_and_says_why(scene: Scene, kind: str) -> None:
    north = branch_without(scene, kind)
    scene.fault("504", north, method="DELETE", path=PATHS[kind])
    body = '{"title": "Bad Request", "status": 400, "detail": "It is used by an automation"}'
    scene.fault("answer", north, method="DELETE", path=PATHS[kind], status=400, body=body, times=None)

    result = north.sync(scene.desired(), rules=RULES)

    [row] = changes(result, action="delete")
    assert (result.state, result.reason) == ("partial", "validation")
    assert row["outcome"] == "failed"
    assert "used by an automation" in row["message"]


@pytest.mark.parametrize("kind", PATHS)
def test_a_404_for_what_is_still_there_is_not_done(scene: Scene, kind: str) -> None:
    north = branch_without(scene, kind)
    scene.fault("404", north, method="DELETE", path=PATHS[kind], times=None)

    result = north.sync(scene.desired(), rules=RULES)

    assert (result.state, result.reason) == ("partial", "not_found")
    assert [each["outcome"] for each in changes(result, action="delete")] == ["failed"]


def test_a_reading_that_lags_behind_does_not_make_a_deletion_failed(scene: Scene) -> None:
    north = branch_without(scene, "custom_field")
    desired = scene.desired()
    scene.fault("504_applied", north, method="DELETE")
    scene.world.variants.deleted_twice_status = 400
    scene.world.variants.stale_reads = 1

    result = north.sync(desired, rules=RULES)

    assert changes(result, action="delete", outcome="failed") == []


@pytest.mark.parametrize("lost", ["504_applied", "reset_applied", "empty", "504", "500"])
def test_an_option_goes_once_and_one_that_a_person_adds_meanwhile_stays(scene: Scene, lost: str) -> None:
    north = branch_without(scene, "enum")
    source = north.account.field("leads", "Source")
    fault = scene.fault(
        lost, north, method="PATCH", path="/custom_fields/", meanwhile=lambda: north.account.add_enum(source, "Mine")
    )

    result = north.sync(scene.desired(), rules=RULES)

    assert fault.hits == 1
    assert [each["outcome"] for each in changes(result, action="delete")] == ["done"]
    assert result.state == "changed"
    assert [enum.value for enum in source.ordered_enums] == ["Web", "Mine"]
