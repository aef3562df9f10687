"""Bodies: only documented, writable keys; options with ids; the slave's own things kept."""

from typing import Any

import pytest

from syncing.adapters.bodies import (
    always_sent,
    field_body,
    merged_enums,
    new_field_body,
    present_enums,
    stage_body,
    status_list,
)
from syncing.adapters.sorting import sort_numbers
from syncing.engine.normalise import Item
from syncing.engine.refs import Kind, Ref
from syncing.engine.resources.custom_fields import Enum
from syncing.engine.resources.stages import Description
from syncing.tests.engine.items import field, stage

HERE = Ref(Kind.CUSTOM_FIELD, "leads/3")
MAIN, DEAL = Ref(Kind.FIELD_GROUP, "leads/default"), Ref(Kind.FIELD_GROUP, "leads/leads_1")
NEW, WON = Ref(Kind.STAGE, "1/5"), Ref(Kind.STAGE, "1/142")
IDS = {HERE: "leads/13", MAIN: "leads/default", DEAL: "leads/leads_9", NEW: "11/15", WON: "11/142"}


def item(**attributes: Any) -> Item:
    known = {"name": "Source", "is_api_only": False, "required_statuses": frozenset(), "group": MAIN}
    return Item(HERE, "Source", "leads", {**known, **attributes})


def option(number: int) -> Ref:
    return Ref(Kind.ENUM, f"leads/3/{number}")


def test_a_new_field_of_the_main_group_says_no_group() -> None:
    body = new_field_body(item(), field(3, "Source"), 7, IDS)
    assert body == {"name": "Source", "type": "text", "sort": 7}


def test_a_new_field_says_all_that_it_is() -> None:
    wanted = item(group=DEAL, is_api_only=True, required_statuses=frozenset({NEW, WON, Ref(Kind.STAGE, "9/9")}))
    ours = field(3, "Source", "select", code="SRC", enums=(Enum(8, "b", 5, "B"), Enum(7, "a", 1)))
    assert new_field_body(wanted, ours, 7, IDS) == {
        "name": "Source", "type": "select", "sort": 7, "group_id": "leads_9", "code": "SRC", "is_api_only": True,
        "required_statuses": [{"pipeline_id": 11, "status_id": 142}, {"pipeline_id": 11, "status_id": 15}],
        "enums": [{"value": "a", "sort": 10}, {"value": "b", "sort": 20, "code": "B"}],
    }  # fmt: skip


def test_options_are_merged_under_the_slaves_ids_its_own_behind() -> None:
    ours = field(3, "s", "select", enums=(Enum(7, "a", 1), Enum(8, "b", 2, "B"), Enum(9, "c", 3, "C")))
    theirs = field(13, "s", "select", enums=(Enum(71, "own", 1, "OWN"), Enum(72, "old a", 2, "X"), Enum(73, "c", 3)))
    ids = {option(7): "leads/13/72", option(9): "leads/13/73"}
    wanted = item(enums={option(7): "a", option(8): "b", option(9): "c"}, enum_codes={option(8): "B", option(9): "C"})
    assert merged_enums(wanted, ours, theirs, ids) == [
        {"id": 72, "value": "a", "sort": 10, "code": "X"},
        {"value": "b", "sort": 20, "code": "B"},
        {"id": 73, "value": "c", "sort": 30, "code": "C"},
        {"id": 71, "value": "own", "sort": 40, "code": "OWN"},
    ]


def test_a_patch_carries_options_only_when_they_change() -> None:
    theirs = field(13, "s", "radiobutton", enums=("a", "b"))
    body = field_body(item(), field(3, "s", "radiobutton", enums=("z",)), theirs, ["name"], IDS, frozenset())
    assert "enums" not in body  # one added by hand since the reading would be deleted


def test_options_that_are_demanded_go_with_their_ids() -> None:
    kept = present_enums(field(13, "s", "radiobutton", enums=("a", "b")))
    assert [(enum["id"], enum["value"]) for enum in kept] == [(1301, "a"), (1302, "b")]


@pytest.mark.parametrize("type_", ["text", "multitext", "date", "chained_list"])
def test_other_types_carry_no_options(type_: str) -> None:
    assert always_sent(field(13, "f", type_)) == {}


def test_a_monetary_field_carries_its_currency_the_slaves_if_the_master_has_none() -> None:
    theirs = field(13, "m", "monetary", currency="EUR")
    assert always_sent(theirs, "BRL") == {"currency": "BRL"}
    assert always_sent(theirs) == {"currency": "EUR"}


def test_required_statuses_of_the_slaves_own_stages_stay_in_the_list() -> None:
    theirs = field(13, "f", required_statuses=((11, 15), (11, 99), (77, 142)))
    wanted = item(required_statuses=frozenset({WON}))
    body = field_body(wanted, field(3, "f"), theirs, ["required_statuses"], IDS, frozenset({NEW, WON}))
    assert body == {
        "id": 13,
        "required_statuses": [
            {"pipeline_id": 11, "status_id": 99},
            {"pipeline_id": 77, "status_id": 142},
            {"pipeline_id": 11, "status_id": 142},
        ],
    }


def test_only_what_changed_is_sent() -> None:
    body = field_body(item(group=DEAL), field(3, "f"), field(13, "f"), ["group"], IDS, frozenset())
    assert body == {"id": 13, "group_id": "leads_9"}


def test_a_text_that_is_taken_away_is_sent_as_null() -> None:
    theirs = field(13, "t", "tracking_data", tracking_callback="x")
    body = field_body(
        item(tracking_callback=""), field(3, "t", "tracking_data"), theirs, ["tracking_callback"], IDS, frozenset()
    )
    assert body == {"id": 13, "tracking_callback": None}


def test_stages_that_the_account_lacks_are_left_out_of_a_list() -> None:
    assert status_list([Ref(Kind.STAGE, "8/8")], IDS) == []


def test_a_stage_always_says_name_colour_and_sort() -> None:
    wanted = Item(NEW, "New", "Sales", {"name": "New", "color": "#fffeb2"})
    assert stage_body(wanted, 20, stage(15, "x")) == {"name": "New", "color": "#fffeb2", "sort": 20}


def test_descriptions_are_sent_by_level_with_the_id_where_there_is_one() -> None:
    wanted = Item(
        NEW, "New", "Sales", {"name": "New", "color": "#fffeb2", "descriptions": {"newbie": "a", "master": "b"}}
    )
    same = Description(4, "newbie", "a")
    assert "descriptions" not in stage_body(
        wanted, 1, stage(15, "x", descriptions=(same, Description(5, "master", "b")))
    )
    body = stage_body(wanted, 1, stage(15, "x", descriptions=(same, Description(5, "master", "old"))))
    assert body["descriptions"] == [{"id": 5, "level": "master", "description": "b"}]
    assert stage_body(wanted, 1)["descriptions"][0] == {"level": "newbie", "description": "a"}


# -- sort numbers --


A, B, C, D = (Ref(Kind.CUSTOM_FIELD, f"leads/{name}") for name in "abcd")


def test_without_room_everything_of_ours_is_numbered_anew_behind_the_rest() -> None:
    found = sort_numbers([(A, 5), ("own", 6), (B, 7)], [A, C, B], [C, B], {}, 100, rewrite=True)
    assert found == {A: 17, C: 27, B: 37}


def test_what_finds_no_room_between_two_comes_behind_the_slaves_own_and_moves_nothing_else() -> None:
    found = sort_numbers([(A, 4), ("own", 6)], [A, B, C], [B, C], {B: 397, C: 820}, 1000)
    assert found == {B: 397, C: 820}


def test_without_room_only_what_follows_is_numbered_anew_and_the_slaves_own_keeps_its_place() -> None:
    found = sort_numbers([(D, 1), ("own", 2), (A, 4), (B, 5), ("last", 90)], [D, A, C, B], [C], {}, 1000)
    assert found.keys() == {C, B}
    assert 4 < found[C] < found[B] < 90


def test_without_room_behind_the_rest_it_is_numbered_from_the_beginning() -> None:
    found = sort_numbers([("own", 100), (A, 100)], [B, A], [B], {}, 100)
    assert 1 <= found[B] < 100
    found = sort_numbers([(A, 2_000_000), (B, 2_000_000)], [B, A], [B], {}, 1000, rewrite=True)
    assert 1 <= found[B] < found[A] <= 1000


def test_where_ten_apart_do_not_fit_they_stand_one_apart() -> None:
    found = sort_numbers([("own", 95)], [A, B, C], [A, B, C], {}, 98, rewrite=True)
    assert found == {A: 96, B: 97, C: 98}
