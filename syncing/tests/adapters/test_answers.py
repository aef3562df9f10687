"""Which answered item is which posted one, or none: a doubt is never a guess."""

from typing import Any

import pytest

from accounts.kommo.errors import BadAnswer
from syncing.adapters.answers import adopt, aligned, new_items, new_options
from syncing.adapters.batches import Entry
from syncing.engine.resources.custom_fields import Enum

BODIES = [{"name": "A"}, {"name": "B"}]


def parse(item: dict[str, Any]) -> int:
    return int(item["id"])


def answer(*items: object) -> dict[str, Any]:
    return {"_embedded": {"things": list(items)}}


def made(number: int, name: str | None, request_id: str | None = None, **more: object) -> dict[str, Any]:
    return {"id": number, "name": name, **({} if request_id is None else {"request_id": request_id}), **more}


@pytest.mark.parametrize("items", [
    [made(2, "B", "1"), made(1, "A", "0")],
    [made(1, "A"), made(2, "B")],
    [made(1, "a "), made(2, "B")],
    [made(9, "Z", "7"), made(1, "A", "0"), made(2, "B", "1")],
    [made(1, "A", "5"), made(2, "B", "6")],
    [made(2, "B"), made(1, "A")],
    [made(1, "A", "0"), made(2, "X", "0")],
    [made(1, "\N{GREEK SMALL LETTER ALPHA}"), made(2, "\N{GREEK SMALL LETTER BETA}")],
    [made(1, ""), made(2, "")],
    [made(1, None), made(2, "b")],
    [made(2, "B", "0"), made(1, "A", "1")],
    [made(2, "&amp;amp;", "1"), made(1, "A", "0")],
    [made(2, "X", "1"), made(1, "B", "0")],
])  # fmt: skip
def test_answered_items_are_put_in_the_order_of_the_request(items: list[Any]) -> None:
    assert [item["id"] for item in aligned(answer(*items), "things", BODIES, parse)] == [1, 2]


def test_without_request_ids_namesakes_are_told_apart_by_the_order_of_their_making() -> None:
    bodies = [{"name": "Size", "type": "numeric"}, {"name": "Size", "type": "textarea"}]
    items = [made(100, "Size", type="textarea"), made(99, "Size", type="numeric")]
    assert [item["type"] for item in aligned(answer(*items), "things", bodies, parse)] == ["numeric", "textarea"]


def test_namesakes_that_differ_in_case_keep_the_order_of_their_request_ids() -> None:
    bodies = [{"name": "new"}, {"name": "NEW"}, {"name": "NEW"}]
    items = [made(3, "new", "2"), made(1, "NEW", "0"), made(2, "new", "1")]
    assert [item["id"] for item in aligned(answer(*items), "things", bodies, parse)] == [1, 2, 3]


@pytest.mark.parametrize("document", [
    {}, {"_embedded": []}, {"_embedded": None}, {"_embedded": {"things": None}}, {"_embedded": {"other": []}},
    answer(), answer(made(1, "A")), answer(made(1, "A"), made(2, "B"), made(3, "C")), answer(7, 8),
    answer({"name": "A"}, {"name": "B"}), answer(made(1, "A", "0")),
    answer({"id": "x", "name": "A"}, made(2, "B")),
])  # fmt: skip
def test_what_cannot_be_told_apart_has_an_unknown_outcome(document: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer) as caught:
        aligned(document, "things", BODIES, parse)
    assert caught.value.outcome_unknown


def test_a_look_after_a_lost_answer_finds_the_new_ones() -> None:
    items = [made(1, "old"), made(2, "A")]
    assert new_items(items, {"1"}, lambda item: str(item["id"]), parse) == [items[1]]
    assert new_items(items[:1], {"1"}, lambda item: str(item["id"]), parse) == []
    assert new_items([], set(), lambda item: str(item["id"]), parse) == []


@pytest.mark.parametrize("items", [[], [made(2, "A")], [{"name": "no id"}], [7]])
def test_a_look_that_cannot_be_true_is_not_believed(items: list[Any]) -> None:
    with pytest.raises(BadAnswer):
        new_items(items, {"1"}, lambda item: str(item["id"]), parse)


def entries(*bodies: dict[str, Any]) -> list[Entry[str]]:
    return [Entry(str(at), body) for at, body in enumerate(bodies)]


def adopted(bodies: list[dict[str, Any]], *items: dict[str, Any]) -> list[int | None]:
    """The ids of the adopted items, in the order of the bodies."""
    found = adopt(entries(*bodies), items)
    return [item and item["id"] for item in (found[at] for at in range(len(bodies)))]


def test_namesakes_are_adopted_in_the_order_of_their_making() -> None:
    assert adopted([{"name": "A"}, {"name": "A"}], made(100, "A"), made(99, "A")) == [99, 100]


def test_an_equal_name_comes_before_one_that_differs_in_case() -> None:
    assert adopted([{"name": "A"}, {"name": "a"}], made(1, "a"), made(2, "A")) == [2, 1]


@pytest.mark.parametrize("shown", ["R&amp;D", "R&amp;amp;D", "r&d", " R&D ", "R&D", "R"])
def test_what_reads_back_differently_is_adopted(shown: str) -> None:
    assert adopted([{"name": "R&D"}, {"name": "Plan"}], made(1, shown), made(2, "Plan")) == [1, 2]


def test_names_that_are_cut_alike_are_adopted_in_the_order_of_their_making() -> None:
    bodies = [{"name": "Idea \U0001f4a1"}, {"name": "Idea \U0001f680"}]
    assert adopted(bodies, made(8, "Idea "), made(7, "Idea ")) == [7, 8]


@pytest.mark.parametrize("items", [[made(1, "Budget")], [made(1, "R&amp;D"), made(2, "R-D")]])
def test_a_new_item_that_may_or_may_not_be_the_posted_one_is_a_doubt(items: list[Any]) -> None:
    """Somebody may have made it by hand meanwhile: it is neither taken nor made a second time."""
    assert adopted([{"name": "R&D"}], *items) == [None]


def test_what_is_not_there_is_no_doubt() -> None:
    assert adopt(entries({"name": "A"}, {"name": "B"}), [made(1, "B")]) == {1: made(1, "B")}


def test_only_the_same_name_and_type_is_adopted_and_each_once() -> None:
    bodies = [{"name": "A", "type": "text"}, {"name": "A", "type": "date"}, {"name": "A", "type": "text"}]
    items = [made(1, "A", type="date"), made(2, "A", type="text"), made(3, "AA", type="text")]
    assert adopted(bodies, *items) == [2, 1, None]


@pytest.mark.parametrize(("shown", "ids"), [
    ([(1, "a"), (7, "New"), (8, "Newer")], {1: 7, 2: 8}),
    ([(1, "a"), (8, "Newer"), (7, "New")], {1: 7, 2: 8}),
    ([(1, "a"), (7, "?"), (8, "!")], {1: 7, 2: 8}),
    ([(1, "a"), (7, "?"), (8, "!"), (9, "by hand")], {}),
    ([(1, "a"), (7, "New")], {1: 7}),
    ([(1, "a")], {}),
])  # fmt: skip
def test_a_new_option_is_the_one_whose_id_is_new(shown: list[tuple[int, str]], ids: dict[int, int]) -> None:
    posted = [{"id": 1, "value": "a"}, {"value": "New"}, {"value": "Newer"}]
    assert new_options(posted, [Enum(number, value, 1) for number, value in shown], {1}) == ids
