"""Other readings of the API: what is refused of an item costs only itself."""

import json

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.server import RunningServer
from syncing.tests.branches import Branch, Scene, changes


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def refuse(scene: Scene, branch: Branch, method: str, path: str, *complaints: str) -> None:
    """The next such request is refused, with complaints about its first item."""
    errors = [
        {"code": "FieldNotExpected", "path": each, "detail": "This field was not expected."} for each in complaints
    ]
    body = {"validation-errors": [{"request_id": "0", "errors": errors}], "title": "Bad Request", "status": 400}
    facts = {"status": 400, "body": json.dumps(body), "content_type": "application/problem+json"}
    scene.fault("answer", branch, method=method, path=path, **facts)


def test_a_field_whose_code_is_refused_is_made_without_it(scene: Scene) -> None:
    scene.master.add_field("contacts", "Source", "select", enums=["Web"], code="SRC")
    scene.master.add_field("contacts", "Other")
    north = scene.branch()
    refuse(scene, north, "POST", "/contacts/custom_fields", "code")

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert north.account.field("contacts", "Source").code is None
    again = north.sync(scene.desired())
    assert again.state == "in_sync"
    assert [each["name"] for each in again.document["manual"]] == ["Source"], "a code can only be given at creation"


def test_required_stages_that_are_refused_at_creation_are_set_afterwards(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    field = scene.master.add_field("leads", "Source")
    field.required_statuses = [(sales.id, 142), (sales.id, scene.master.stage(sales.id, "New").id)]
    north = scene.branch()
    refuse(scene, north, "POST", "/leads/custom_fields", "required_statuses.0.status_id")

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert differences(scene.master, north.account) == []


@pytest.mark.parametrize("path", ["_embedded.statuses.0.descriptions", "statuses.0.descriptions.0.level"])
def test_descriptions_that_are_refused_with_a_new_pipeline_follow_on_their_own(scene: Scene, path: str) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    scene.master.describe(scene.master.stage(sales.id, "New"), "newbie", "Call at once")
    north = scene.branch()
    refuse(scene, north, "POST", "/leads/pipelines", path)

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert differences(scene.master, north.account) == []
    assert changes(result, outcome="failed") == []


def test_a_pipeline_whose_system_names_are_refused_is_made_and_the_names_are_left_to_people(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    scene.master.stage(sales.id, 142).name = "Hooray"
    north = scene.branch()
    refuse(scene, north, "POST", "/leads/pipelines", "_embedded.statuses.0.name")

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [stage.name for stage in north.account.pipeline("Sales").ordinary] == ["New"]
    again = north.sync(scene.desired())
    assert [each["name"] for each in again.document["manual"]] == ["Hooray"]
