"""The request budget of docs/lifecycle.md, to the request."""

import pytest

from accounts.simulator.edits import change
from accounts.simulator.seed import copy_configuration, seed_master
from accounts.simulator.server import RunningServer
from syncing.engine.refs import Scope
from syncing.tests.branches import WRITES, Branch, Scene


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    made = Scene(simulator)
    seed_master(made.master)
    return made


def synced(scene: Scene) -> Branch:
    north = scene.branch()
    north.sync(scene.desired())
    scene.world.log.clear()
    return north


def test_a_first_sync_costs_14_and_7_to_verify(scene: Scene) -> None:
    """7 reads, 1 POST of pipelines with their stages, 3 of groups, 3 of fields; then all that was written is read."""
    north = scene.branch()

    result = north.sync(scene.desired())

    assert [len(north.sent(method)) for method in ("GET", *WRITES)] == [14, 7, 0, 0]
    assert result.requests == 21
    assert result.state == "changed"
    assert (result.created, result.updated) == (5 + 40 + 5 + 70, 0)


def test_no_change_costs_7(scene: Scene) -> None:
    north = synced(scene)
    result = north.sync(scene.desired())
    assert (result.state, result.requests, len(north.sent("GET"))) == ("in_sync", 7, 7)


def test_no_change_of_pipelines_costs_1_and_of_custom_fields_7(scene: Scene) -> None:
    north = synced(scene)
    costs = {scope: north.sync(scene.desired(), scope=scope).requests for scope in Scope}
    assert costs == {"full": 7, "pipelines": 1, "custom_fields": 7}


def test_a_stage_added_in_the_master_costs_1_write_and_1_to_verify(scene: Scene) -> None:
    north = synced(scene)
    scene.master.add_stage(scene.master.pipeline("Bench 2"), "Brand new", sort=45)

    result = north.sync(scene.desired())

    assert (result.state, result.requests) == ("changed", 7 + 1 + 1)
    scene.master.add_stage(scene.master.pipeline("Bench 3"), "Brand new", sort=45)
    assert north.sync(scene.desired(with_fields=False), scope=Scope.PIPELINES).requests == 1 + 1 + 1


def test_any_number_of_changed_fields_of_one_entity_costs_1_write_and_1_to_verify(scene: Scene) -> None:
    north = synced(scene)
    for item in scene.master.fields["leads"].values():
        item.name += "" if item.is_predefined else "!"

    result = north.sync(scene.desired())

    assert (result.updated, result.requests) == (40, 7 + 1 + 1)


def test_adopting_a_copy_costs_nothing_but_the_reading(scene: Scene) -> None:
    north = scene.branch("north", with_default_pipeline=False)
    copy_configuration(scene.master, north.account)

    result = north.sync(scene.desired())

    assert (result.state, result.requests, result.created) == ("in_sync", 7, 0)
    assert result.adopted == 5 + 40 + 5 + 70


def test_the_master_costs_7_and_a_read_per_pipeline_for_its_descriptions(scene: Scene) -> None:
    scene.desired()
    assert len(scene.world.log.of("master")) == 7 + 5


def test_descriptions_cost_a_read_per_pipeline_that_has_some_in_the_master(simulator: RunningServer) -> None:
    scene = Scene(simulator)
    seed_master(scene.master, descriptions=2)
    north = scene.branch()

    first = north.sync(scene.desired())
    quiet = north.sync(scene.desired())

    assert first.requests == 14 + 7 + 2, "the two pipelines are new: nothing to read before, all to verify after"
    assert (quiet.state, quiet.requests) == ("in_sync", 7 + 2)


def test_a_batch_holds_50_items_at_most(simulator: RunningServer) -> None:
    scene = Scene(simulator)
    seed_master(scene.master, fields=(120, 0, 0))
    north = scene.branch()

    north.sync(scene.desired())

    sizes = [record.body.count(b'"type"') for record in north.sent("POST") if record.path.endswith("/custom_fields")]
    assert sizes == [50, 50, 20]


def test_a_field_that_shows_its_other_group_is_verified_by_the_fields_alone(scene: Scene) -> None:
    """Into the main group too, which reads as none: it showed the other one before."""
    north = synced(scene)
    item = scene.master.field("leads", "Field 2 select")
    costs = []
    for group in ("default", item.group_id):
        change(scene.master, "field", item.id, group_id=group)
        result = north.sync(scene.desired())
        costs.append((result.state, result.requests))

    assert costs == [("changed", 7 + 1 + 1)] * 2
    assert north.sync(scene.desired()).document["changes"] == []
