"""Pipelines and stages: what is copied, what is kept, what is said."""

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.edits import change
from accounts.simulator.model import INCOMING_TYPE
from accounts.simulator.server import RunningServer
from syncing.engine.refs import Kind, Scope
from syncing.tests.branches import WRITES, Branch, Scene, bodies, changes, shown

AWKWARD = ("🚀 Launch", 'The "best"', "<b>Bold</b>", "O'Brien & Sons", "日本語", "a/b\\c", "x" * 255, "null", "0")


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def names(branch: Branch, pipeline: str) -> list[str]:
    return [stage.name for stage in branch.account.pipeline(pipeline).ordinary]


# -- matching --


def test_one_in_the_master_and_several_namesakes_in_the_slave_is_a_conflict_and_the_rest_goes_on(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    scene.master.add_pipeline("Service", stages=["Ticket"])
    scene.master.add_field("leads", "Source", required_statuses=[(sales.id, sales.stage("New").id)])
    north = scene.branch()
    for _ in range(2):
        north.account.add_pipeline("Sales", stages=["Own"])

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "conflict")
    (conflict,) = result.document["conflicts"]
    assert (conflict["kind"], conflict["name"]) == ("pipeline", "Sales")
    assert "2 items of this name in the account, 1 in the master" in conflict["message"]
    assert names(north, "Sales") == ["Own"]
    assert names(north, "Service") == ["Ticket"]
    assert north.account.field("leads", "Source").required_statuses == []
    assert "Sales" not in {extra["name"] for extra in result.document["extras"]}


def test_two_equal_namesakes_on_both_sides_pair_by_order(scene: Scene) -> None:
    for color in ("#fffeb2", "#87f2c0"):
        scene.master.add_pipeline("Sales", stages=[("Call", color), ("Call", color)])
    north = scene.branch()
    for _ in range(2):
        north.account.add_pipeline("Sales", stages=["Call", "Call"])
    before = [pipeline.id for pipeline in north.account.ordered_pipelines]

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [pipeline.id for pipeline in north.account.ordered_pipelines] == before
    assert differences(scene.master, north.account) == []


def test_more_namesakes_in_the_master_than_in_the_slave_makes_the_missing_ones(scene: Scene) -> None:
    scene.master.add_pipeline("Sales", stages=["Call", "Call", "Call"])
    north = scene.branch()
    kept = north.account.add_pipeline("sales ", stages=["Call"]).ordinary[0].id

    north.sync(scene.desired())

    stages = north.account.pipeline("Sales").ordinary
    assert [stage.name for stage in stages] == ["Call", "Call", "Call"]
    assert stages[0].id == kept


@pytest.mark.parametrize("name", AWKWARD)
def test_any_name_arrives_as_it_is(scene: Scene, name: str) -> None:
    scene.master.add_pipeline(name, stages=[name, "Second"])
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    assert [stage.name for stage in north.account.pipeline(name).ordinary] == [name, "Second"]
    assert north.sync(scene.desired()).state == "in_sync"


def test_names_that_differ_in_case_and_spaces_are_the_same_thing_and_take_the_masters_spelling(scene: Scene) -> None:
    scene.master.add_pipeline("Déjà  Vu", stages=["New lead"])
    north = scene.branch()
    mine = north.account.add_pipeline("DE\u0301JA\u0300 vu", stages=["  new   LEAD "])

    result = north.sync(scene.desired())

    assert result.created == 0
    assert (mine.name, mine.ordinary[0].name) == ("Déjà  Vu", "New lead")


def test_a_thing_that_was_deleted_in_the_slave_is_made_again_and_mapped_anew(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    north = scene.branch()
    desired = scene.desired()
    north.sync(desired)
    north.account.delete_pipeline(north.account.pipeline("Sales"))

    result = north.sync(desired)

    assert result.state == "changed"
    mine = north.account.pipeline("Sales")
    keys = {ref.key: key for ref, key in north.known.items() if ref.kind is Kind.STAGE}
    assert keys[f"{sales.id}/{sales.stage('Offer').id}"] == f"{mine.id}/{mine.stage('Offer').id}"
    assert north.sync(desired).state == "in_sync"


def test_a_thing_that_was_renamed_in_the_slave_gets_the_masters_name_again(scene: Scene) -> None:
    scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    north = scene.branch()
    desired = scene.desired()
    north.sync(desired)
    stage = north.account.stage("Sales", "Offer")
    stage.name = "Angebot"

    assert shown(north.sync(desired)) == [("update", "stage", "Offer")]
    assert stage.name == "Offer"


# -- archived, limits --


def test_an_archived_pipeline_of_the_master_is_a_manual_item(scene: Scene) -> None:
    old = scene.master.add_pipeline("Old", stages=["New"])
    old.is_archive = True
    north = scene.branch()

    result = north.sync(scene.desired())

    assert [(each["kind"], each["name"]) for each in result.document["manual"]] == [("pipeline", "Old")]
    assert "Old" not in {each.name for each in north.account.pipelines.values()}


def test_a_pipeline_that_is_archived_in_the_slave_is_a_conflict(scene: Scene) -> None:
    scene.master.add_pipeline("Sales", stages=["New"])
    north = scene.branch()
    desired = scene.desired()
    north.sync(desired)
    north.account.pipeline("Sales").is_archive = True
    scene.world.log.clear()

    result = north.sync(desired)

    assert (result.state, result.reason) == ("partial", "conflict")
    assert "archived" in result.document["conflicts"][0]["message"]
    assert north.sent(*WRITES) == []


def test_an_account_that_would_pass_50_pipelines_is_refused_before_the_first_write(scene: Scene) -> None:
    for number in range(10):
        scene.master.add_pipeline(f"New {number}", stages=["A"])
    scene.master.add_field("leads", "Source")
    north = scene.branch()
    for number in range(44):
        north.account.add_pipeline(f"Own {number}", stages=["A"])
    desired = scene.desired()

    result = north.sync(desired)

    assert (result.state, result.reason) == ("refused", "limit_reached")
    assert result.error is not None
    assert "45 pipelines and 10 more" in result.error["message"]
    assert "50" in result.error["message"]
    assert north.sent(*WRITES) == []
    assert {each["outcome"] for each in result.document["changes"]} == {"skipped"}
    north.account.delete_pipeline(north.account.pipeline("Own 3"))
    for number in range(4):
        north.account.delete_pipeline(north.account.pipeline(f"Own {10 + number}"))
    assert north.sync(desired).state == "changed", "exactly 50 are allowed"


def test_an_account_that_would_pass_100_stages_is_refused_before_the_first_write(scene: Scene) -> None:
    scene.master.add_pipeline("Sales", stages=[f"S{number}" for number in range(60)])
    north = scene.branch()
    north.account.add_pipeline("Sales", stages=[f"Own {number}" for number in range(40)])

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("refused", "limit_reached")
    assert result.error is not None
    assert "'Sales' has 43 stages and 60 more" in result.error["message"]
    assert north.sent(*WRITES) == []


@pytest.mark.parametrize(("stages", "incoming"), [(97, True), (98, False)])
def test_exactly_100_stages_are_copied(scene: Scene, stages: int, incoming: bool) -> None:
    specs = [f"S{number}" for number in range(stages)]
    scene.master.add_pipeline("Sales", stages=specs, is_unsorted_on=incoming)
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    assert differences(scene.master, north.account) == []


# -- system stages --


def test_a_renamed_system_stage_is_named_at_creation(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    sales.stage(142).name, sales.stage(143).name = "Signed ✍️", "Gone"
    north = scene.branch(language="pt")

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert result.document["manual"] == []
    mine = north.account.pipeline("Sales")
    assert (mine.stage(142).name, mine.stage(143).name) == ("Signed ✍️", "Gone")


@pytest.mark.parametrize("patching", ["ignore", "400"])
def test_a_system_stage_that_is_renamed_later_is_a_manual_item_and_never_written(scene: Scene, patching: str) -> None:
    scene.world.variants.system_stage_patch = patching
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    north = scene.branch(language="es")
    north.sync(scene.desired())
    sales.stage(142).name = "Signed"
    incoming = next(stage for stage in sales.stages if stage.type == INCOMING_TYPE)
    incoming.name = "Inbox"
    scene.world.log.clear()

    result = north.sync(scene.desired())

    assert result.state == "in_sync"
    manual = {(each["name"], each["parent"]) for each in result.document["manual"]}
    assert manual == {("Signed", "Sales"), ("Inbox", "Sales")}
    assert north.sent(*WRITES) == []


def test_default_names_of_system_stages_in_another_language_are_no_difference(scene: Scene) -> None:
    north = scene.branch(language="pt")
    desired = scene.desired()
    north.sync(desired)

    result = north.sync(desired)

    assert (result.state, result.document["manual"]) == ("in_sync", [])


def test_won_in_a_variant_that_forgets_the_name_of_lost_is_said(scene: Scene) -> None:
    scene.world.variants.lost_name_on_create = False
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    sales.stage(143).name = "Gone"
    north = scene.branch()
    north.sync(scene.desired())

    result = north.sync(scene.desired())

    assert result.state == "in_sync"
    assert [(each["kind"], each["name"]) for each in result.document["manual"]] == [("stage", "Gone")]


@pytest.mark.parametrize("before", [True, False])
def test_incoming_leads_are_switched_on_and_off(scene: Scene, before: bool) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"], is_unsorted_on=before)
    north = scene.branch()
    north.sync(scene.desired())
    change(scene.master, "pipeline", sales.id, is_unsorted_on=not before)

    result = north.sync(scene.desired())

    assert shown(result) == [("update", "pipeline", "Sales")]
    assert changes(result)[0]["fields"] == {"is_unsorted_on": [before, not before]}
    assert north.account.pipeline("Sales").is_unsorted_on is not before
    assert north.sync(scene.desired()).state == "in_sync"


def test_a_field_required_in_incoming_leads_follows_when_they_are_switched_on(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    incoming = next(stage for stage in sales.stages if stage.type == INCOMING_TYPE)
    scene.master.add_field("leads", "Source", required_statuses=[(sales.id, incoming.id)])
    north = scene.branch()
    north.account.add_pipeline("Sales", stages=["New"], is_unsorted_on=False)

    assert north.sync(scene.desired()).state == "changed"
    assert differences(scene.master, north.account) == []
    assert north.sync(scene.desired()).state == "in_sync"


# -- order, main, colours --


@pytest.mark.parametrize("unset", ["ignore", "400"])
def test_the_main_flag_moves_and_is_never_taken_away(scene: Scene, unset: str) -> None:
    scene.world.variants.unset_main = unset
    for name in ("A", "B"):
        scene.master.add_pipeline(name, stages=["New"])
    north = scene.branch()
    north.sync(scene.desired())
    change(scene.master, "pipeline", scene.master.pipeline("B").id, is_main=True)
    scene.world.log.clear()

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [each.name for each in north.account.pipelines.values() if each.is_main] == ["B"]
    assert all(body.get("is_main", True) is True for body in bodies(north.sent("PATCH")))


def test_stages_are_put_in_order_around_the_slaves_own_ones_with_the_fewest_moves(scene: Scene) -> None:
    def all_of(*stages: str) -> list[tuple[str, str]]:
        return [(name, "#fffeb2") for name in stages]

    scene.master.add_pipeline("Sales", stages=all_of("A", "B", "C", "D"))
    north = scene.branch()
    north.account.add_pipeline("Sales", stages=all_of("D", "Own 1", "B", "A", "Own 2", "C"))

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [name for name in names(north, "Sales") if len(name) == 1] == ["A", "B", "C", "D"]
    assert {"Own 1", "Own 2"} <= set(names(north, "Sales"))
    assert len([record for record in north.sent("PATCH") if "/statuses/" in record.path]) == 2


def test_a_patch_of_a_stage_always_carries_name_colour_and_sort(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["A", "B"])
    north = scene.branch()
    north.sync(scene.desired())
    change(scene.master, "stage", [sales.id, sales.stage("A").id], color="#87f2c0")

    north.sync(scene.desired())

    assert [set(body) for body in bodies(north.sent("PATCH"))[-1:]] == [{"name", "color", "sort"}]
    assert north.account.blanked_names == 0


def test_only_documented_writable_keys_are_sent(scene: Scene) -> None:
    scene.master.add_pipeline("Sales", stages=["A"])
    north = scene.branch()
    north.sync(scene.desired())

    (body,) = bodies(north.sent("POST"))[0][:1]
    assert set(body) == {"name", "is_main", "is_unsorted_on", "sort", "_embedded"}
    assert {key for stage in body["_embedded"]["statuses"] for key in stage} <= {"name", "color", "sort", "id"}


@pytest.mark.parametrize("sensitive", [True, False])
def test_colours_in_another_case_are_no_difference_and_are_sent_in_the_palettes_case(
    scene: Scene, sensitive: bool
) -> None:
    scene.world.variants.palette_case_sensitive = sensitive
    scene.master.add_pipeline("Sales", stages=[("A", "#FFFEB2"), ("B", "#98CBFF")])
    north = scene.branch()
    north.account.add_pipeline("Sales", stages=[("A", "#fffeb2")])

    result = north.sync(scene.desired())

    assert [row for row in shown(result) if row[0] == "update" and row[1] == "stage" and row[2] == "A"] == []
    assert north.account.stage("Sales", "B").color == "#98cbff"


# -- descriptions --


def describe(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales")
    scene.master.add_stage(sales, "New", newbie="Call at once", master="Delegate 🙂")
    scene.master.add_stage(sales, "Offer")


def test_descriptions_are_copied_by_level_and_the_slaves_own_levels_stay(scene: Scene) -> None:
    describe(scene)
    north = scene.branch()
    mine = north.account.add_pipeline("Sales")
    stage = north.account.add_stage(mine, "New", newbie="Old words", candidate="My own")

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert {level: each.description for level, each in stage.descriptions.items()} == {
        "newbie": "Call at once",
        "candidate": "My own",
        "master": "Delegate 🙂",
    }
    assert north.sync(scene.desired()).state == "in_sync"


def test_an_edited_description_keeps_its_id_and_leaves_the_others_unsent(scene: Scene) -> None:
    describe(scene)
    north = scene.branch()
    north.sync(scene.desired())
    stage = north.account.stage("Sales", "New")
    number = stage.descriptions["newbie"].id
    scene.master.describe(scene.master.stage("Sales", "New"), "newbie", "Call tomorrow")

    north.sync(scene.desired())

    (sent,) = bodies(north.sent("PATCH"))[-1:]
    assert sent["descriptions"] == [{"id": number, "level": "newbie", "description": "Call tomorrow"}]
    assert stage.descriptions["newbie"].description == "Call tomorrow"


def test_descriptions_of_a_new_pipeline_come_with_it(scene: Scene) -> None:
    describe(scene)
    north = scene.branch()
    assert north.sync(scene.desired()).state == "changed"
    assert differences(scene.master, north.account) == []


# -- scopes --


def test_a_scope_of_custom_fields_writes_no_pipeline(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    service = scene.master.add_pipeline("Service", stages=["Ticket"])
    required = [(sales.id, sales.stage(name).id) for name in ("New", "Offer")] + [(sales.id, 143)]
    required += [(service.id, service.stage("Ticket").id), (service.id, 142)]
    scene.master.add_field("leads", "Source", required_statuses=required)
    north = scene.branch()
    mine = north.account.add_pipeline("Sales", stages=["New"])

    result = north.sync(scene.desired(), scope=Scope.CUSTOM_FIELDS)

    assert result.state == "changed"
    assert {row[1] for row in shown(result)} == {"custom_field"}
    assert all("/pipelines" not in record.path for record in north.sent(*WRITES))
    assert set(north.account.field("leads", "Source").required_statuses) == {
        (mine.id, mine.stage("New").id),
        (mine.id, 143),
    }
