"""Compare: what counts as a difference, and how it is said."""

from typing import Any

import pytest

from syncing.engine.compare import Comparison, in_words, mapping_differs, with_account_values
from syncing.engine.normalise import Item, NormalisedSnapshot
from syncing.engine.refs import Kind, Ref

FIELD, GROUP, MAIN = (
    Ref(Kind.CUSTOM_FIELD, "leads/3"),
    Ref(Kind.FIELD_GROUP, "leads/1"),
    Ref(Kind.FIELD_GROUP, "leads/default"),
)
WEB, FAIR, RADIO = (Ref(Kind.ENUM, f"leads/3/{number}") for number in (1, 2, 3))
NEW, WON = Ref(Kind.STAGE, "1/5"), Ref(Kind.STAGE, "1/142")
LABELS = {GROUP: "Deal", MAIN: "Main", WEB: "Web", FAIR: "Fair", NEW: "Sales / New", WON: "Sales / Won"}


def item(ref: Ref = FIELD, *, system: bool = False, **attributes: Any) -> Item:
    return Item(ref, LABELS.get(ref, "Source"), "leads", attributes, system=system)


def comparison(
    ours: dict[str, Any], theirs: dict[str, Any], blocked: tuple[Ref, ...] = (), here: Any = None
) -> Comparison:
    groups = {GROUP: item(GROUP), MAIN: item(MAIN, system=True)}
    present = {FIELD, GROUP, MAIN, WEB, FAIR} if here is None else here
    mine = NormalisedSnapshot({FIELD: item(**ours), **groups}, {}, LABELS)
    return Comparison(mine, NormalisedSnapshot({FIELD: item(**theirs), **groups}, {}, LABELS), present, blocked)


def differences(ours: dict[str, Any], theirs: dict[str, Any], **facts: Any) -> dict[str, tuple[Any, Any]]:
    return comparison(ours, theirs, **facts).differences(FIELD)


@pytest.mark.parametrize(("old", "new"), [
    (None, ""), ("", None), (None, False), (frozenset(), None), ("a", "a"), (None, {}), ({}, {}),
    ({WEB: "Web", FAIR: "Fair"}, {WEB: "Web"}),
    ({FAIR: "Fair", WEB: "Web"}, {WEB: "Web"}),
    ({"newbie": "a", "master": "own"}, {"newbie": "a"}),
    ({"newbie": "a", "master": "b"}, {"master": "b", "newbie": "a"}),
])  # fmt: skip
def test_absent_empty_and_more_in_the_account_is_no_difference(old: Any, new: Any) -> None:
    assert differences({"x": new}, {"x": old} if old is not None else {}) == {}


@pytest.mark.parametrize(("old", "new"), [
    ("a", "b"), ("a", None), (None, True), (True, None), ("a", "A"),
    ({WEB: "Web"}, {WEB: "web"}),
    ({WEB: "Web"}, {WEB: "Web", FAIR: "Fair"}),
    ({WEB: "Web", FAIR: "Fair"}, {FAIR: "Fair", WEB: "Web"}),
    ({WEB: "Web", RADIO: "Own", FAIR: "Fair"}, {FAIR: "Fair", WEB: "Web"}),
    (None, {"newbie": "a"}), ({"newbie": "b"}, {"newbie": "a"}),
    (frozenset({NEW}), frozenset()), (frozenset(), frozenset({NEW})), (frozenset({NEW}), frozenset({WON})),
])  # fmt: skip
def test_everything_else_is_a_difference(old: Any, new: Any) -> None:
    assert set(differences({"x": new}, {"x": old} if old is not None else {})) == {"x"}


def test_what_only_the_account_has_is_not_compared() -> None:
    assert differences({}, {"currency": "EUR", "enums": {WEB: "Web"}}) == {}


def test_values_are_said_in_words() -> None:
    made = differences(
        {"group": GROUP, "required_statuses": frozenset({WON, NEW}), "enums": {FAIR: "Fair", WEB: "Web"}, "name": "b"},
        {"group": None, "required_statuses": frozenset(), "enums": {WEB: "Web"}, "name": "a"},
    )
    assert made == {
        "group": (None, "Deal"),
        "required_statuses": ([], ["Sales / New", "Sales / Won"]),
        "enums": (["Web"], ["Fair", "Web"]),
        "name": ("a", "b"),
    }
    assert in_words(Ref(Kind.FIELD_GROUP, "leads/9"), NormalisedSnapshot({}, {})) == "another group"
    assert in_words({"newbie": "a"}, NormalisedSnapshot({}, {})) == {"newbie": "a"}


def test_a_group_that_cannot_be_reached_is_no_difference() -> None:
    """It is in conflict, left out, or Kommo's own and not in the account."""
    assert differences({"group": GROUP}, {"group": MAIN}, blocked=(GROUP,)) == {}
    assert differences({"group": MAIN}, {"group": GROUP}, here={FIELD, GROUP}) == {}
    assert set(differences({"group": GROUP}, {"group": MAIN}, here={FIELD, MAIN})) == {"group"}


def test_options_in_conflict_take_all_options_of_their_field_out() -> None:
    ours = {"enums": {WEB: "Net", FAIR: "Fair"}, "enum_codes": {WEB: "W"}, "name": "b"}
    made = differences(ours, {"enums": {FAIR: "Fair"}, "name": "a"}, blocked=(WEB,))
    assert set(made) == {"name"}


def test_a_code_is_added_to_an_option_that_has_none_and_never_replaced() -> None:
    assert differences({"enum_codes": {WEB: "W"}}, {}) == {"enum_codes": (None, ["W"])}
    assert differences({"enum_codes": {WEB: "W"}}, {"enum_codes": {WEB: "OWN"}}) == {}
    assert differences({"enum_codes": {RADIO: "R"}}, {}) == {}, "a new option brings its code along"


def test_a_new_item_shows_what_it_gets_but_its_name() -> None:
    ours = {"name": "Source", "is_api_only": False, "enums": {WEB: "Web"}, "group": GROUP, "currency": None}
    assert comparison(ours, {}).new_fields(FIELD) == {"enums": (None, ["Web"]), "group": (None, "Deal")}


def test_options_have_an_order_and_description_levels_have_none() -> None:
    assert mapping_differs({WEB: "a", FAIR: "b"}, {FAIR: "b", WEB: "a"})
    assert not mapping_differs({"newbie": "a", "master": "b"}, {"master": "b", "newbie": "a"})


def test_what_is_left_to_the_account_is_its_own_value_even_if_it_has_none() -> None:
    ours = item(name="a", currency="BRL", remind="day")
    theirs = item(name="b", currency="EUR")
    kept = with_account_values(ours, theirs, {"currency", "remind"})
    assert kept.attributes == {"name": "a", "currency": "EUR"}
    assert (kept.ref, kept.name, kept.parent) == (ours.ref, ours.name, ours.parent)
    assert ours.attributes["currency"] == "BRL"
