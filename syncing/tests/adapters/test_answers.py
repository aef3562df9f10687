"""Which answered item is which posted one, or none: a doubt is never a guess."""

from typing import Any

import pytest

from accounts.kommo.errors import BadAnswer
from syncing.adapters.answers import adopt, aligned, newcomers
from syncing.adapters.batches import Entry

BODIES = [{"name": "A"}, {"name": "B"}]


def parse(item: dict[str, Any]) -> int:
    return int(item["id"])


def answer(*items: object) -> dict[str, Any]:
    return {"_embedded": {"things": list(items)}}


def made(number: int, name: str, request_id: str | None = None, **more: object) -> dict[str, Any]:
    return {"id": number, "name": name, **({} if request_id is None else {"request_id": request_id}), **more}


@pytest.mark.parametrize("items", [
    [made(2, "B", "1"), made(1, "A", "0")],
    [made(1, "A"), made(2, "B")],
    [made(1, "a "), made(2, "B")],
    [made(9, "Z", "7"), made(1, "A", "0"), made(2, "B", "1")],
    [made(1, "A", "5"), made(2, "B", "6")],
])  # fmt: skip
def test_answered_items_are_put_in_the_order_of_the_request(items: list[Any]) -> None:
    assert [item["id"] for item in aligned(answer(*items), "things", BODIES, parse)] == [1, 2]


@pytest.mark.parametrize("document", [
    {}, {"_embedded": []}, {"_embedded": None}, {"_embedded": {"things": None}}, {"_embedded": {"other": []}},
    answer(), answer(made(1, "A")), answer(made(1, "B"), made(2, "A")), answer(7, 8),
    answer({"name": "A"}, {"name": "B"}), answer(made(1, "A", "0"), made(2, "X", "0")),
    answer({"id": "x", "name": "A"}, made(2, "B")),
])  # fmt: skip
def test_what_cannot_be_told_apart_has_an_unknown_outcome(document: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer) as caught:
        aligned(document, "things", BODIES, parse)
    assert caught.value.outcome_unknown


def test_a_look_after_a_lost_answer_finds_the_new_ones() -> None:
    items = [made(1, "old"), made(2, "A")]
    assert newcomers(items, {"1"}, lambda item: str(item["id"]), parse) == [items[1]]
    assert newcomers(items[:1], {"1"}, lambda item: str(item["id"]), parse) == []
    assert newcomers([], set(), lambda item: str(item["id"]), parse) == []


@pytest.mark.parametrize("items", [[], [made(2, "A")], [{"name": "no id"}], [7]])
def test_a_look_that_cannot_be_true_is_not_believed(items: list[Any]) -> None:
    with pytest.raises(BadAnswer):
        newcomers(items, {"1"}, lambda item: str(item["id"]), parse)


def entries(*bodies: dict[str, Any]) -> list[Entry[str]]:
    return [Entry(str(at), body) for at, body in enumerate(bodies)]


def test_namesakes_are_adopted_in_the_order_of_their_making() -> None:
    found = adopt(entries({"name": "A"}, {"name": "A"}), [made(100, "A"), made(99, "a")])
    assert [found[at]["id"] for at in (0, 1)] == [99, 100]


def test_only_the_same_name_and_type_is_adopted_and_each_once() -> None:
    chunk = entries({"name": "A", "type": "text"}, {"name": "A", "type": "date"}, {"name": "A", "type": "text"})
    found = adopt(chunk, [made(1, "A", type="date"), made(2, "A", type="text"), made(3, "AA", type="text")])
    assert {at: item["id"] for at, item in found.items()} == {0: 2, 1: 1}
