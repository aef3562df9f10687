"""A refused optional part costs only itself, however Kommo spells its complaint, or without a word about it."""

import pytest

from accounts.simulator.model import SimStage
from accounts.simulator.server import RunningServer
from syncing.tests.branches import Branch, Scene, changes

SPELLINGS = ("dotted", "brackets", "pointer", "indexed", "short", "none")
YELLOW, ORANGE, BLUE, GREY = "#fffeb2", "#ffdc7f", "#98cbff", "#e6e8ea"


@pytest.fixture(params=SPELLINGS)
def scene(simulator: RunningServer, request: pytest.FixtureRequest) -> Scene:
    simulator.world.variants.complaint_paths = request.param
    return Scene(simulator)


def colors(stages: list[SimStage]) -> dict[str, str]:
    return {stage.name: stage.color for stage in stages}


def told(result: object, name: str) -> str:
    """What is said of the one item that is not done."""
    [row] = [each for each in changes(result) if each["outcome"] != "done"]  # type: ignore[arg-type]
    assert row["name"] == name, row
    assert row["outcome"] in ("failed", "unverified")
    return str(row["message"])


def assert_steady(scene: Scene, north: Branch, most: int) -> None:
    """Five runs later nothing has multiplied, and each run has cost little."""
    before = [(p.name, [s.id for s in p.stages]) for p in north.account.pipelines.values()]
    fields = [(f.id, [e.id for e in f.enums]) for f in north.account.fields["leads"].values()]
    for _ in range(5):
        result = north.sync(scene.desired())
        assert result.state == "partial"
        assert result.requests <= most
    assert [(p.name, [s.id for s in p.stages]) for p in north.account.pipelines.values()] == before
    assert [(f.id, [e.id for e in f.enums]) for f in north.account.fields["leads"].values()] == fields
    assert north.wounds == (0, 0, 0)


def test_a_colour_that_is_refused_with_a_new_pipeline_costs_only_itself(scene: Scene) -> None:
    scene.master.add_pipeline("Sales", stages=[("New", YELLOW), ("Offer", ORANGE), ("Deal", BLUE)])
    scene.world.variants.refused_colors = ORANGE
    north = scene.branch()

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "validation")
    made = colors(north.account.pipeline("Sales").ordinary)
    assert list(made) == ["New", "Offer", "Deal"]
    assert (made["New"], made["Deal"]) == (YELLOW, BLUE)
    assert "color" in told(result, "Offer") or scene.world.variants.complaint_paths == "none"
    patched = [each for each in north.sent("PATCH") if ORANGE.encode() in each.body]
    assert len(patched) == 1, "tried once on its own"
    assert_steady(scene, north, 12)


def test_a_colour_that_is_refused_with_a_stage_of_a_known_pipeline_costs_only_itself(scene: Scene) -> None:
    pipeline = scene.master.add_pipeline("Sales", stages=[("New", YELLOW)])
    north = scene.branch()
    north.sync(scene.desired())
    scene.master.add_stage(pipeline, "Offer", color=ORANGE)
    scene.master.add_stage(pipeline, "Deal", color=BLUE)
    scene.world.variants.refused_colors = ORANGE

    result = north.sync(scene.desired())

    made = colors(north.account.pipeline("Sales").ordinary)
    assert result.state == "partial"
    assert list(made) == ["New", "Offer", "Deal"]
    assert made["Deal"] == BLUE
    told(result, "Offer")
    assert_steady(scene, north, 12)


def test_a_colour_that_is_refused_by_a_patch_does_not_cost_the_name(scene: Scene) -> None:
    pipeline = scene.master.add_pipeline("Sales", stages=[("New", YELLOW)])
    north = scene.branch()
    north.sync(scene.desired())
    stage = pipeline.stage("New")
    stage.name, stage.color = "Fresh", GREY
    scene.world.variants.refused_colors = GREY

    result = north.sync(scene.desired())

    assert colors(north.account.pipeline("Sales").ordinary) == {"Fresh": YELLOW}
    told(result, "Fresh")
    assert_steady(scene, north, 12)


def test_one_refused_option_of_a_new_field_does_not_cost_the_field_or_the_others(scene: Scene) -> None:
    scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair", "Radio", "Mail"])
    scene.master.add_field("leads", "Other")
    scene.world.variants.refused_options = "Radio"
    north = scene.branch()

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "validation")
    made = north.account.field("leads", "Source")
    assert sorted(enum.value for enum in made.enums) == ["Fair", "Mail", "Web"]
    assert "Radio" in told(result, "Source") or scene.world.variants.complaint_paths == "none"
    assert_steady(scene, north, 20)


def test_the_first_option_of_a_new_field_may_be_the_refused_one(scene: Scene) -> None:
    scene.master.add_field("leads", "Source", "select", enums=["Radio", "Web"])
    scene.world.variants.refused_options = "Radio"
    north = scene.branch()

    north.sync(scene.desired())

    assert [enum.value for enum in north.account.field("leads", "Source").enums] == ["Web"]


def test_one_refused_option_that_is_added_does_not_cost_the_others_or_the_new_name(scene: Scene) -> None:
    scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    north = scene.branch()
    north.sync(scene.desired())
    ids = {enum.id for enum in north.account.field("leads", "Source").enums}
    field = scene.master.field("leads", "Source")
    for value in ("Radio", "Mail", "Shop"):
        scene.master.add_enum(field, value)
    field.name = "Origin"
    scene.world.variants.refused_options = "Mail"

    result = north.sync(scene.desired())

    mine = north.account.field("leads", "Origin")
    assert (result.state, result.reason) == ("partial", "validation")
    assert sorted(enum.value for enum in mine.enums) == ["Fair", "Radio", "Shop", "Web"]
    assert ids <= {enum.id for enum in mine.enums}
    assert "Mail" in told(result, "Origin") or scene.world.variants.complaint_paths == "none"
    tries = [each for each in north.sent("PATCH") if b'"Mail"' in each.body]
    assert len(tries) <= (1 if scene.world.variants.complaint_paths != "none" else 2), "never sent again in this run"
    assert_steady(scene, north, 16)


def test_what_an_answer_has_refused_may_not_be_what_a_person_has_added_meanwhile(scene: Scene) -> None:
    """So it is no conflict for a person to settle, and made as soon as Kommo takes it."""
    source = scene.master.add_field("leads", "Source", "select", enums=["Web"])
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.field("leads", "Source")
    for value in ("Mail", "Shop"):
        scene.master.add_enum(source, value)
    scene.world.variants.refused_options = "Mail"
    scene.fault("reset", north, method="PATCH", holds="Mail", meanwhile=lambda: north.account.add_enum(mine, "Own"))

    result = north.sync(scene.desired())

    assert (result.reason, result.document["conflicts"], north.pending) == ("validation", [], {})
    assert sorted(enum.value for enum in mine.enums) == ["Own", "Shop", "Web"]
    scene.world.variants.refused_options = ""
    assert north.sync(scene.desired()).state == "changed"
    assert sorted(enum.value for enum in mine.enums) == ["Mail", "Own", "Shop", "Web"]


def test_a_field_that_was_refused_may_not_be_one_that_a_person_has_added_meanwhile(scene: Scene) -> None:
    north = scene.branch()
    north.sync(scene.desired())
    scene.master.add_field("leads", "Fresh")
    refusal = {"kind": "answer", "method": "POST", "path": "/leads/custom_fields", "status": 400, "times": None}
    facts = {"body": "{}", "meanwhile": lambda: north.account.add_field("leads", "By hand")}
    fault = scene.fault(refusal.pop("kind"), north, **refusal, **facts)

    result = north.sync(scene.desired())

    assert fault.hits
    assert (result.reason, result.document["conflicts"], north.pending) == ("validation", [], {})
    scene.world.faults.clear()
    assert north.sync(scene.desired()).state == "changed"
    assert north.account.field("leads", "Fresh")


def test_a_refused_option_costs_no_move_though_options_are_demanded_with_every_patch(scene: Scene) -> None:
    """It stays told, though a later write for the place of the field goes well."""
    source = scene.master.add_field("leads", "Source", "select", enums=["Web"], sort=900)
    scene.master.add_field("leads", "Note", sort=500)
    north = scene.branch()
    north.sync(scene.desired())
    scene.master.add_enum(source, "Mail")
    source.sort = 100
    scene.world.variants.refused_options, scene.world.variants.enums_required_on_patch = "Mail", True

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "validation")
    assert "Mail" in told(result, "Source")
    assert [item.name for item in north.account.members("leads", "default")][-2:] == ["Source", "Note"]


def test_a_refused_new_value_of_an_option_leaves_the_old_one_and_its_id(scene: Scene) -> None:
    scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    north = scene.branch()
    north.sync(scene.desired())
    ids = {enum.value: enum.id for enum in north.account.field("leads", "Source").enums}
    field = scene.master.field("leads", "Source")
    field.enum("Web").value = "Bad"
    scene.master.add_enum(field, "Radio")
    scene.world.variants.refused_options = "Bad"

    result = north.sync(scene.desired())

    mine = {enum.value: enum.id for enum in north.account.field("leads", "Source").enums}
    assert mine.items() >= ids.items()
    assert result.state == "partial"
    if scene.world.variants.complaint_paths != "none":
        assert "Radio" in mine
    assert north.wounds == (0, 0, 0)
