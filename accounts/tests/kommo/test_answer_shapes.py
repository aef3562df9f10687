"""The shapes of Kommo's answers."""

import pytest

from accounts.kommo.answer_shapes import account_ids, items_of


def test_lists_come_as_lists_or_as_objects_keyed_by_index() -> None:
    first, second, tenth = {"id": 1}, {"id": 2}, {"id": 10}
    assert items_of([first, second]) == [first, second]
    assert items_of({"10": tenth, "2": second, "1": first}) == [first, second, tenth]
    assert items_of({}) == items_of([]) == []


@pytest.mark.parametrize("value", [None, "Web", 7, {"id": 1}, {"0": {}, "id": 1}, {"-1": {}}, {"": 1}])
def test_anything_else_is_no_list(value: object) -> None:
    assert items_of(value) is None


def test_whose_account_answered_shows_in_lists_keyed_by_index_too() -> None:
    assert account_ids({"_embedded": {"pipelines": {"0": {"id": 1, "account_id": 7}}}}) == {7}


def test_an_answer_tells_whose_account_it_comes_from() -> None:
    stage = {"id": 142, "account_id": 9}
    pipeline = {"id": 1, "account_id": 7, "_embedded": {"statuses": [stage, {"id": 143}]}}
    assert account_ids({"_embedded": {"pipelines": [pipeline]}}) == {7, 9}
    assert account_ids({"id": 5, "account_id": 8, "_embedded": {"odd": None}}) == {8}
    assert account_ids({"_embedded": []}) == frozenset()
