"""Both sides of what differs, as drawn: names, order, groups, options and marks."""

from typing import Any

from syncing.engine.snapshot import Snapshot
from syncing.presentation.drawing import Drawing, DrawnEdit, Mark, Side
from syncing.presentation.painting import draw
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage


def master() -> Snapshot:
    stages = (stage(71, "Lead", 20), stage(72, "Offer", 30), stage(73, "Talks", 40))
    size = field(12, "Size", "select", enums=("S", "M", "L"), group_id="leads_1")
    return snapshot(pipeline(7, "Sales", *stages), group("leads_1", "Sales data"), size, field(13, "Budget", "numeric"))


def edit(kind: str, key: str, attribute: str = "", ours: Any = None, theirs: Any = None, **facts: Any) -> DrawnEdit:
    usual = {"action": "update", "name": "", "parent": ""}
    return DrawnEdit(kind=kind, key=key, attribute=attribute, ours=ours, theirs=theirs, **{**usual, **facts})


def sides(*edits: DrawnEdit) -> tuple[Drawing, Drawing]:
    """The master's side and the account's."""
    return draw(master(), edits, Side.MASTER), draw(master(), edits, Side.ACCOUNT)


def stages_of(drawing: Drawing) -> list[tuple[str, str]]:
    return [(chip.name, str(chip.mark)) for chip in drawing.pipelines[0].stages if not chip.is_system]


def fields_of(drawing: Drawing) -> dict[str, list[tuple[str, str]]]:
    drawn = (each for each in drawing.groups if each.entity == "leads")
    return {each.title.name: [(item.title.name, str(item.title.mark)) for item in each.fields] for each in drawn}


def test_what_is_equal_is_drawn_the_same_without_a_mark() -> None:
    ours, theirs = sides()
    assert ours == theirs
    assert [chip.name for chip in ours.pipelines[0].stages] == [
        "Incoming leads", "Lead", "Offer", "Talks", "Closed - won", "Closed - lost",
    ]  # fmt: skip
    assert fields_of(ours) == {"Main": [("Budget", "")], "Sales data": [("Size", "")]}
    assert not any(each.is_marked for each in (*ours.pipelines, *ours.groups))


def test_a_renamed_stage_has_its_other_name_on_each_side() -> None:
    ours, theirs = sides(edit("stage", "7/72", "name", "Offer", "Quote"))
    assert ("Quote", "renamed") in stages_of(theirs)
    assert theirs.pipelines[0].stages[2].old_name == "Offer"
    assert ours.pipelines[0].stages[2].old_name == "Quote"


def test_a_colour_is_that_of_the_side() -> None:
    ours, theirs = sides(edit("stage", "7/72", "color", "#fffeb2", "#ff8f92"))
    assert [drawing.pipelines[0].stages[2].color for drawing in (ours, theirs)] == ["#fffeb2", "#ff8f92"]
    assert stages_of(theirs)[1] == ("Offer", "changed")


def test_what_the_account_lacks_and_what_only_it_has() -> None:
    ours, theirs = sides(
        edit("stage", "7/72", action="create"),
        edit("stage", "7/=Own", action="extra", name="Own", parent="Sales"),
        edit("stage", "7/=Old", action="delete", name="Old", parent="Sales"),
    )
    assert stages_of(ours) == [("Lead", ""), ("Offer", "added"), ("Talks", "")]
    assert stages_of(theirs) == [
        ("Lead", ""), ("Offer", "missing"), ("Talks", ""), ("Own", "extra"), ("Old", "removed"),
    ]  # fmt: skip
    assert theirs.pipelines[0].stages[-1].name == "Closed - lost"


def test_the_account_shows_its_own_order() -> None:
    """Places count the ordinary stages that both have: the one of the incoming leads does not."""
    ours, theirs = sides(edit("stage", "7/73", "position", 3, 1), edit("stage", "7/71", action="create"))
    assert [name for name, _ in stages_of(ours)] == ["Lead", "Offer", "Talks"]
    assert stages_of(theirs) == [("Lead", "missing"), ("Talks", "moved"), ("Offer", "")]


def test_a_field_in_another_group_is_drawn_there() -> None:
    ours, theirs = sides(edit("custom_field", "leads/12", "group", "Sales data", "Main"))
    assert fields_of(ours)["Sales data"] == [("Size", "moved")]
    assert fields_of(theirs) == {"Main": [("Size", "moved"), ("Budget", "")], "Sales data": []}
    _, nowhere = sides(edit("custom_field", "leads/12", "group", "Sales data", "another group"))
    assert fields_of(nowhere)["Sales data"] == [("Size", "moved")]  # it does not vanish


def test_options_of_each_side() -> None:
    ours, theirs = sides(
        edit("custom_field", "leads/12", "enums", ["S", "M", "L"], ["L", "S"]),
        edit("enum", "leads/12/=XL", action="extra", name="XL", parent="Size"),
    )
    options = [
        [(chip.name, str(chip.mark)) for chip in drawing.groups[1].fields[0].options] for drawing in (ours, theirs)
    ]
    assert options == [
        [("S", "moved"), ("M", "added"), ("L", "")],
        [("L", ""), ("S", "moved"), ("XL", "extra")],
    ]


def test_the_account_s_own_fields_are_in_their_groups() -> None:
    own = edit("field_group", "leads/=Own", action="extra", name="Own", parent="leads")
    inside = edit("custom_field", "leads/=text:Note", action="extra", name="Note", parent="leads/Own")
    loose = edit("custom_field", "leads/=text:Other", action="extra", name="Other", parent="leads/Main")
    _, theirs = sides(own, inside, loose)
    assert fields_of(theirs)["Own"] == [("Note", "extra")]
    assert fields_of(theirs)["Main"] == [("Budget", ""), ("Other", "extra")]


def test_changes_of_a_plan_are_found_by_their_names() -> None:
    change = {
        "action": "update",
        "kind": "stage",
        "name": "Offer",
        "parent": "Sales",
        "fields": {"name": ["Quote", "Offer"]},
    }
    new = {
        "action": "create",
        "kind": "custom_field",
        "name": "Size",
        "parent": "leads/Sales data",
        "fields": {"type": [None, "select"]},
    }
    edits = [*DrawnEdit.of_change(change), *DrawnEdit.of_change(new)]
    before, after = draw(master(), edits, Side.ACCOUNT), draw(master(), edits, Side.MASTER)
    assert stages_of(before)[1] == ("Quote", "renamed")
    assert fields_of(after)["Sales data"] == [("Size", "added")]
    assert fields_of(before)["Sales data"] == [("Size", "missing")]


def test_what_is_left_aside_is_marked() -> None:
    aside = {("stage", "7/72"): Mark.EXCLUDED}
    assert ("Offer", "excluded") in stages_of(draw(master(), (), Side.ACCOUNT, aside))
