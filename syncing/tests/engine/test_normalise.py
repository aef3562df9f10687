"""Normalise: what is no difference is ironed out, and every id becomes a ref."""

import pytest

from syncing.engine.normalise import normalise, own_names
from syncing.engine.refs import Kind, Ref
from syncing.engine.resources.custom_fields import Enum
from syncing.engine.resources.stages import PALETTE, Stage, has_default_name, palette_color
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

SHARED = {Ref(Kind.STAGE, "1/5"), Ref(Kind.STAGE, "1/142")}


def attributes(item: object, kind: Kind, key: str, shared: set[Ref] = SHARED) -> dict[str, object]:
    state = normalise(snapshot(pipeline(1, "A", stage(5, "x")), item), own_names, shared)  # type: ignore[arg-type]
    return dict(state.items[Ref(kind, key)].attributes)


@pytest.mark.parametrize(("color", "wanted"), [
    ("#99ccff", "#98cbff"), ("#FFFF99", "#fffd7f"), ("#ffcc66", "#ffce5a"), ("#ffcccc", "#ffc8c8"),
    ("#FFFEB2", "#fffeb2"), (" fffeb2", "#fffeb2"), ("", PALETTE[0]), ("blue", PALETTE[0]), ("#12", PALETTE[0]),
    ("#fffeb1", "#fffeb2"),
])  # fmt: skip
def test_every_colour_stands_for_one_of_the_palette(color: str, wanted: str) -> None:
    assert palette_color(color) == wanted


def test_a_colour_of_the_palette_stands_for_itself() -> None:
    assert [palette_color(color) for color in PALETTE] == list(PALETTE)
    assert len(PALETTE) == 21
    assert palette_color("#0000ff") in PALETTE


@pytest.mark.parametrize("name", ["Closed - won", " VENDA GANHA ", "Leads entrantes"])
def test_default_names_count_for_system_stages_only(name: str) -> None:
    assert has_default_name(stage(142, name, editable=False))
    assert not has_default_name(stage(5, name))


@pytest.mark.parametrize(("item", "system"), [
    (stage(142, "x"), True), (stage(143, "x"), True), (stage(5, "x", type=1), True),
    (stage(5, "x", editable=False), False), (stage(5, "Lost contact - retry"), False), (stage(5, "Entrada"), False),
])  # fmt: skip
def test_a_system_stage_is_told_by_its_nature(item: Stage, system: bool) -> None:
    assert item.is_system is system


def test_absent_and_default_are_the_same() -> None:
    born = attributes(field(3, "b", "birthday", "contacts"), Kind.CUSTOM_FIELD, "contacts/3")
    assert born == attributes(field(3, "b", "birthday", "contacts", remind="never"), Kind.CUSTOM_FIELD, "contacts/3")
    assert born["group"] == Ref(Kind.FIELD_GROUP, "contacts/default")


def test_required_statuses_are_kept_only_where_they_speak_of_shared_stages() -> None:
    item = field(3, "f", required_statuses=((1, 5), (1, 142), (1, 143), (99, 5)))
    assert attributes(item, Kind.CUSTOM_FIELD, "leads/3")["required_statuses"] == frozenset(SHARED)


def test_options_come_in_their_order_equal_numbers_by_position() -> None:
    enums = (Enum(7, "c", 2), Enum(8, "a", 1), Enum(9, "b", 1))
    wanted = attributes(field(3, "f", "select", enums=enums), Kind.CUSTOM_FIELD, "leads/3")["enums"]
    assert list(wanted.values()) == ["a", "b", "c"]  # type: ignore[attr-defined]


def test_predefined_fields_have_no_name_to_compare() -> None:
    item = field(3, "Phone", "multitext", is_predefined=True, code="PHONE")
    assert set(attributes(item, Kind.CUSTOM_FIELD, "leads/3")) == {"required_statuses", "group"} - {"group"}


def test_the_group_of_tracking_fields_is_left_to_kommo() -> None:
    assert "group" not in attributes(field(3, "t", "tracking_data"), Kind.CUSTOM_FIELD, "leads/3")


def test_predefined_groups_have_no_name_to_compare_and_no_order() -> None:
    state = normalise(snapshot(group("statistic")), own_names, ())
    item = state.items[Ref(Kind.FIELD_GROUP, "leads/statistic")]
    assert (item.attributes, item.siblings, item.system) == ({}, None, True)


def test_what_nobody_knows_is_left_out() -> None:
    state = normalise(snapshot(pipeline(1, "A", stage(5, "x"))), lambda kind, key: None, ())
    assert (state.items, state.sequences) == ({}, {})


def test_the_order_is_that_of_the_numbers_whatever_they_are() -> None:
    first = snapshot(pipeline(1, "A", stage(5, "x", 20), stage(6, "y", 30)), pipeline(2, "B", sort=900))
    second = snapshot(pipeline(1, "A", stage(5, "x", 7), stage(6, "y", 8)), pipeline(2, "B", sort=3))
    assert normalise(first, own_names, ()).sequences == normalise(second, own_names, ()).sequences
