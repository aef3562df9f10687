"""One difference, drawn: the chips of either side, and the few words beside them."""

from typing import Any

import pytest

from syncing.presentation.difference_drawing import DrawnDifference, draw_difference
from syncing.presentation.drawing import AttributeChange, Chip, ChipRow, DrawnEdit, Mark
from syncing.presentation.labels import chip_mark, parent_label


def drawn(attribute: str = "", ours: Any = None, theirs: Any = None, action: str = "update") -> DrawnDifference:
    return draw_difference(DrawnEdit(action, "stage", "7/71", "Offer", "Sales", attribute, ours, theirs))


def told(row: ChipRow) -> list[str]:
    """What is written on the chips of the account's side."""
    marks = ((chip, chip_mark(chip)) for chip in row.chips)
    return [f"{chip.name}: {mark.text}" if mark else chip.name for chip, mark in marks]


def test_options_are_chips_that_are_new_renamed_moved_or_gone() -> None:
    found = drawn("enums", ["S", "M", "L", "XL"], ["XL", "S", "Medium", "L"])
    assert found.words == "Options"
    assert told(found.ours) == ["S", "M: renamed", "L", "XL: moved from 1 to 4"]
    assert told(found.theirs) == ["XL: moved from 4 to 1", "S", "Medium: renamed", "L"]
    assert found.theirs.chips[2].old_name == "M"


def test_a_colour_is_shown_and_a_place_is_said() -> None:
    found = drawn("color", "#fffeb2", "#ff8f92")
    assert [chip.color for chip in (*found.ours.chips, *found.theirs.chips)] == ["#fffeb2", "#ff8f92"]
    assert told(found.theirs) == ["Offer: colour"]
    assert drawn("position", 3, 2) == DrawnDifference("Moved from place 3 to place 2.")


def test_lists_of_stages_show_what_only_one_side_has() -> None:
    found = drawn("required_statuses", ["Sales / New", "Sales / Won"], ["Sales / Won", "Sales / Offer"])
    assert told(found.theirs) == ["Sales / Won", "Sales / Offer: only here"]
    assert [chip.mark for chip in found.ours.chips] == [Mark.ADDED, Mark.NONE]


@pytest.mark.parametrize(
    ("action", "words"), [("create", "missing here"), ("delete", "is deleted"), ("extra", "only here")]
)
def test_a_whole_item_is_one_chip(action: str, words: str) -> None:
    assert told(drawn(action=action).theirs) == [f"Offer: {words}"]


def test_a_mark_says_what_changed_and_never_the_other_way_round() -> None:
    """The picture that changes are told against says what they are about, but not from where to where."""
    changes = (AttributeChange("position", 3, 2), AttributeChange("color", "#fffeb2", "#ff8f92"))
    chip = Chip("stage", "7/71", "Offer", mark=Mark.CHANGED, changes=changes)
    assert chip_mark(chip).text == "moved from 3 to 2, colour"
    assert chip_mark(chip, plain=True).text == "moved, colour"
    assert chip_mark(Chip("stage", "7/71", "Offer", mark=Mark.ADDED)).text == "new"
    assert chip_mark(Chip("stage", "7/71", "Offer", mark=Mark.ADDED), plain=True).text == "not in the account"


def test_where_an_item_lies_is_said_in_words() -> None:
    assert parent_label("leads/Business", "custom_field") == "Leads, group Business"
    assert parent_label("contacts", "field_group") == "Contacts"
    assert parent_label("Sales/New", "stage") == "Sales/New"
