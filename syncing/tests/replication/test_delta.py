"""Deltas: of a slave that was equal to the master only what the master has changed is read; in doubt all of it."""

from collections.abc import Callable

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.compare import differences
from accounts.simulator.edits import add, change, remove
from accounts.simulator.model import SimField, SimGroup, SimPipeline, SimStage
from accounts.simulator.seed import copy_configuration, seed_master
from accounts.simulator.server import RunningServer
from syncing.engine.delta import ListName
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.rules import ExclusionRule, Rules
from syncing.replication.contract import Result
from syncing.tests.branches import WRITES, Branch, Scene, changes, shown

Edit = Callable[[SimAccount], object]


@pytest.fixture(params=[0, 3], ids=["", "described"])
def scene(request: pytest.FixtureRequest, simulator: RunningServer) -> Scene:
    """A master without, and one with descriptions in most of its pipelines."""
    made = Scene(simulator)
    seed_master(made.master, pipelines=3, fields=(12, 4, 2), descriptions=request.param)
    return made


@pytest.fixture
def plain(simulator: RunningServer) -> Scene:
    made = Scene(simulator)
    seed_master(made.master, pipelines=3, fields=(12, 4, 2))
    return made


def synced(scene: Scene, name: str = "north") -> Branch:
    branch = scene.branch(name, with_default_pipeline=False)
    copy_configuration(scene.master, branch.account)
    assert branch.sync(scene.desired()).state == "in_sync"
    assert branch.follow(scene.desired()).requests == 0
    scene.world.log.clear()
    return branch


def lists_read(result: Result) -> frozenset[ListName]:
    assert result.part is not None, "it was read whole"
    return result.part.lists


def pipeline(master: SimAccount, number: int = 2) -> SimPipeline:
    return master.pipeline(f"Bench {number}")


def stage(master: SimAccount, number: int = 3) -> list[int]:
    parent = pipeline(master)
    return [parent.id, parent.stage(f"Stage 2.{number}").id]


def field(master: SimAccount, name: str = "Field 2 select") -> SimField:
    return master.field("leads", name)


def group(master: SimAccount, name: str) -> SimGroup:
    return next(each for each in master.groups["leads"].values() if each.name == name)


def move_stage(master: SimAccount) -> None:
    change(master, "stage", stage(master), sort=75)


def move_group(master: SimAccount) -> None:
    change(master, "group", ["leads", group(master, "Group 5").id], sort=group(master, "Group 1").sort - 1)


def swap_groups(master: SimAccount) -> None:
    first, second = group(master, "Group 1"), group(master, "Group 3")
    first.sort, second.sort = second.sort, first.sort


def move_option(master: SimAccount) -> None:
    enums = field(master).enums
    change(master, "enum", [field(master).id, enums[-1].id], sort=enums[0].sort - 1)


def move_field_within_its_group(master: SimAccount) -> None:
    mine = field(master)
    last = max(each.sort for each in master.fields["leads"].values() if each.group_id == mine.group_id)
    change(master, "field", mine.id, sort=last + 1)


def move_field_to(name: str) -> Edit:
    """From where it is: `Field 2 select` is in Group 1, `Field 5 date` in the main group."""

    def move(master: SimAccount) -> None:
        source = field(master, "Field 5 date" if name == "Group 3" else "Field 2 select")
        where = "default" if name == "default" else group(master, name).id
        assert source.group_id != where
        change(master, "field", source.id, group_id=where)

    return move


THREE = {
    "stage added": lambda master: master.add_stage(pipeline(master), "Brand new", sort=45),
    "stage renamed": lambda master: change(master, "stage", stage(master), name="Renamed"),
    "stage moved": move_stage,
    "stage recoloured": lambda master: change(master, "stage", stage(master), color="#ccc8f9"),
    "pipeline added": lambda master: master.add_pipeline("Brand new", stages=["One", "Two"]),
    "pipeline renamed": lambda master: change(master, "pipeline", pipeline(master).id, name="Renamed"),
    "option added": lambda master: add(master, "enum", field_id=field(master).id, value="Brand new"),
    "option renamed": lambda master: change(
        master, "enum", [field(master).id, field(master).enums[1].id], value="Renamed"
    ),
    "option moved": move_option,
    "field added": lambda master: master.add_field("leads", "Brand new"),
    "field added to a group": lambda master: master.add_field("leads", "New", group_id=group(master, "Group 3").id),
    "field renamed": lambda master: change(master, "field", field(master).id, name="Renamed"),
    "field moved in its group": move_field_within_its_group,
    "field moved to the main group": move_field_to("default"),
    "field moved out of the main group": move_field_to("Group 3"),
    "field moved to another group": move_field_to("Group 5"),
    "group added": lambda master: master.add_group("leads", "Brand new"),
    "group renamed": lambda master: change(master, "group", ["leads", group(master, "Group 1").id], name="Renamed"),
    "group moved to the front": move_group,
    "group moved by one": swap_groups,
}


@pytest.mark.parametrize("what", THREE)
def test_one_change_of_the_master_costs_three_requests(scene: Scene, what: str) -> None:
    """The list that it is in is read, it is written, and the list is read again; the other lists not at all."""
    north = synced(scene)
    THREE[what](scene.master)

    result = north.follow(scene.desired())

    assert (result.state, result.requests) == ("changed", 3)
    assert sum(len(north.sent(method)) for method in WRITES) == 1
    assert len({record.path.partition("?")[0] for record in north.sent("GET")}) == 1
    assert len(lists_read(result)) == 1
    assert differences(scene.master, north.account) == []
    whole = north.sync(scene.desired())
    assert (whole.state, whole.document["changes"], whole.document["extras"]) == ("in_sync", [], [])


def test_statuses_that_require_a_field_in_a_new_stage_cost_six(scene: Scene) -> None:
    north = synced(scene)
    new = scene.master.add_stage(pipeline(scene.master), "Brand new", sort=45)
    required = [*field(scene.master).required_statuses, (pipeline(scene.master).id, new.id)]
    change(scene.master, "field", field(scene.master).id, required_statuses=required)

    result = north.follow(scene.desired())

    assert (result.state, result.requests) == ("changed", 6)
    assert differences(scene.master, north.account) == []
    assert north.sync(scene.desired()).document["changes"] == []


def test_required_statuses_alone_cost_three(plain: Scene) -> None:
    """The stage is named by its id mapping: pipelines are not read."""
    north = synced(plain)
    item = field(plain.master)
    change(plain.master, "field", item.id, required_statuses=[tuple(stage(plain.master, 7))])

    result = north.follow(plain.desired())

    assert (result.state, result.requests) == ("changed", 3)
    assert differences(plain.master, north.account) == []


def test_descriptions_are_read_only_where_they_have_changed(simulator: RunningServer) -> None:
    scene = Scene(simulator)
    seed_master(scene.master, pipelines=3, fields=(12, 4, 2), descriptions=3)
    north = synced(scene)
    where = {"pipeline_id": pipeline(scene.master).id, "stage_id": stage(scene.master)[1]}
    add(scene.master, "description", level="newbie", text="Another text", **where)

    result = north.follow(scene.desired())

    assert (result.state, result.requests) == ("changed", 2 + 1 + 2)
    assert differences(scene.master, north.account) == []
    assert north.account.pipeline("Bench 2").stage("Stage 2.3").descriptions["newbie"].description == "Another text"


def test_what_plans_do_not_look_at_costs_nothing(plain: Scene) -> None:
    north = synced(plain)
    for item in plain.master.fields["contacts"].values():
        item.sort += 7

    result = north.follow(plain.desired())

    assert (result.state, result.requests, result.kommo_id) == ("in_sync", 0, None)
    assert lists_read(result) == frozenset()


def test_a_plan_is_made_of_the_same_part_and_has_the_same_digest(plain: Scene) -> None:
    north = synced(plain)
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)
    equal_to = north.equal_to

    whole = north.sync(plain.desired(), writes=False)
    north.equal_to = equal_to
    part = north.follow(plain.desired(), writes=False)

    assert (whole.state, part.state, part.requests) == ("planned", "planned", 1)
    assert part.digest == whole.digest
    assert shown(part) == shown(whole)


def test_a_run_of_pipelines_and_one_of_fields_read_their_part_too(plain: Scene) -> None:
    north, east = synced(plain), plain.branch("east")
    east.sync(plain.desired(with_fields=False), scope=Scope.PIPELINES)
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)
    plain.master.add_field("leads", "Brand new", required_statuses=[tuple(stage(plain.master))])

    fields = north.follow(plain.desired(), scope=Scope.CUSTOM_FIELDS)
    pipelines = east.follow(plain.desired(with_fields=False), scope=Scope.PIPELINES)

    assert (pipelines.state, pipelines.requests) == ("changed", 3)
    assert (fields.state, fields.requests) == ("changed", 4), "which stages there are is another question"
    assert shown(fields) == [("create", "custom_field", "Brand new")]


# -- what the slave has of its own --


def test_what_is_a_slaves_own_stays_and_is_told_where_it_was_read(plain: Scene) -> None:
    north = synced(plain)
    own = north.account.add_stage(north.account.pipeline("Bench 2"), "Own stage")
    north.account.add_field("leads", "Own field", required_statuses=[(north.account.pipeline("Bench 2").id, own.id)])
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)

    stages = north.follow(plain.desired())
    change(plain.master, "field", field(plain.master).id, name="Renamed")
    fields = north.follow(plain.desired())

    assert [(each.state, each.requests) for each in (stages, fields)] == [("changed", 3)] * 2
    assert [each["name"] for each in stages.document["extras"]] == ["Own stage"]
    assert [each["name"] for each in fields.document["extras"]] == ["Own field"]
    assert north.account.field("leads", "Own field").required_statuses == [(pipeline(north.account).id, own.id)]


def test_stages_of_the_slaves_own_stay_required_though_they_were_not_read(plain: Scene) -> None:
    north = synced(plain)
    parent = north.account.pipeline("Bench 2")
    own = north.account.add_stage(parent, "Own stage")
    item = north.account.field("leads", "Field 2 select")
    item.required_statuses = [*item.required_statuses, (parent.id, own.id)]
    change(plain.master, "field", field(plain.master).id, required_statuses=[tuple(stage(plain.master, 7))])

    result = north.follow(plain.desired())

    assert (result.state, result.requests) == ("changed", 3)
    required = {parent.id: {"Stage 2.7", "Own stage"}}
    found = {(p, parent.stage(s).name) for p, s in item.required_statuses}
    assert found == {(p, name) for p, names in required.items() for name in names}


def test_an_edit_in_a_list_that_is_not_read_is_left_to_the_next_whole_run(plain: Scene) -> None:
    north = synced(plain)
    change(north.account, "field", field(north.account).id, name="Edited in the slave")
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)

    delta, whole = north.follow(plain.desired()), north.sync(plain.desired())

    assert shown(delta) == [("create", "stage", "Brand new")]
    assert shown(whole) == [("update", "custom_field", "Field 2 select")]


def test_an_edit_in_a_list_that_is_read_is_put_right_by_the_way(plain: Scene) -> None:
    north = synced(plain)
    change(north.account, "stage", stage(north.account, 5), name="Edited in the slave")
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)

    result = north.follow(plain.desired())

    assert set(shown(result)) == {("create", "stage", "Brand new"), ("update", "stage", "Stage 2.5")}
    assert differences(plain.master, north.account) == []


# -- doubts --


def test_an_item_without_an_id_mapping_has_the_account_read_whole(plain: Scene) -> None:
    """Else a field would be made again that is there, under another name."""
    north = synced(plain)
    edited = field(north.account)
    known = next(ref for ref, key in north.known.items() if key == f"leads/{edited.id}")
    change(north.account, "field", edited.id, name="Edited in the slave")
    before = len(north.account.fields["leads"])
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)
    del north.known[known]

    result = north.follow(plain.desired())

    assert result.part is None
    assert changes(result, name="Brand new", outcome="done")
    assert len(north.account.fields["leads"]) == before + 1, "a whole run does not find it either: it was renamed"


def test_a_change_beyond_what_was_read_has_the_account_read_whole(plain: Scene) -> None:
    """A stage that a field is required in was deleted in the slave: where it comes back, it has another id."""
    north = synced(plain)
    item = field(plain.master)
    change(plain.master, "field", item.id, required_statuses=[tuple(stage(plain.master, 7))])
    north.follow(plain.desired())
    remove(north.account, "stage", stage(north.account, 7))
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)

    result = north.follow(plain.desired())

    assert (result.state, result.part) == ("changed", None)
    assert {(change["action"], change["name"]) for change in result.document["changes"]} == {
        ("create", "Brand new"), ("create", "Stage 2.7"), ("update", "Field 2 select")
    }  # fmt: skip
    assert differences(plain.master, north.account) == []


def test_a_stage_that_appeared_meanwhile_in_conflict_is_looked_at_whole(plain: Scene) -> None:
    north = synced(plain)
    north.account.add_stage(north.account.pipeline("Bench 2"), "Brand new")
    north.account.add_stage(north.account.pipeline("Bench 2"), "Brand new")
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)

    result = north.follow(plain.desired())

    assert (result.state, result.reason, result.part) == ("partial", "conflict", None)
    assert result.requests == 1 + 7
    assert not north.sent(*WRITES)


def test_a_write_that_does_not_show_has_the_account_read_whole(plain: Scene) -> None:
    north = synced(plain)
    change(plain.master, "field", field(plain.master).id, name="Renamed")
    plain.fault("404", north, method="PATCH", times=1)

    result = north.follow(plain.desired())

    assert (result.state, result.part) == ("changed", None)
    assert [each.state for each in result.earlier] == ["failed"]
    assert differences(plain.master, north.account) == []


def test_nothing_is_deleted_by_what_was_only_partly_read(plain: Scene) -> None:
    north = synced(plain)
    remove(plain.master, "stage", stage(plain.master, 8))
    rules = Rules(unmatched={Kind.STAGE: "delete_created"})  # type: ignore[dict-item]

    result = north.follow(plain.desired(), rules=rules)

    assert (result.state, result.deleted, result.part) == ("changed", 1, None)
    assert [record.path for record in north.sent("GET")].count("/api/v4/contacts/custom_fields") == 1


def test_a_field_becomes_wanted_by_a_change_in_another_list(plain: Scene) -> None:
    """An exclusion cuts across the lists: by the new name of its group a field is no longer left out."""
    rules = Rules(exclusions=frozenset({ExclusionRule(Kind.FIELD_GROUP, "Group 1")}))
    north = plain.branch()
    north.sync(plain.desired(), rules=rules)
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)
    quiet = north.follow(plain.desired(), rules=rules)
    change(plain.master, "group", ["leads", group(plain.master, "Group 1").id], name="For all")

    result = north.follow(plain.desired(), rules=rules)

    assert (quiet.state, quiet.requests) == ("changed", 3)
    assert (result.state, result.part) == ("changed", None)
    assert differences(plain.master, north.account) == []


def test_a_master_with_something_unreadable_is_followed_by_whole_readings(plain: Scene) -> None:
    north = synced(plain)
    plain.fault("odd", method="GET", item=field(plain.master).id, at="name", value=None, times=None)
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)

    result = north.follow(plain.desired())

    assert result.part is None
    assert Ref(Kind.CUSTOM_FIELD, f"leads/{field(plain.master).id}") in north.known


def test_a_dead_process_leaves_nothing_that_is_made_twice(plain: Scene) -> None:
    north = synced(plain)
    plain.master.add_stage(pipeline(plain.master), "Brand new", sort=45)
    desired = plain.desired()
    equal_to = north.equal_to
    north.dies_at = 4
    with pytest.raises(type(north.death)):
        north.follow(desired)
    north.dies_at, north.equal_to = None, equal_to

    north.sync(desired)

    assert [each.name for each in pipeline(north.account).ordinary].count("Brand new") == 1
    assert isinstance(pipeline(north.account).stage("Brand new"), SimStage)
