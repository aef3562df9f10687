"""Kommo's oddities."""

import pytest

from accounts.kommo.quirks import account_ids, items_of, jwt_claims, token_expiry
from accounts.kommo.tokens import FixedToken
from accounts.tests.kommo.world import TOKEN, jwt


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


def test_the_claims_of_a_token_are_read_without_its_signature() -> None:
    token = jwt(account_id=7, exp=1861920000)
    assert jwt_claims(token)["account_id"] == 7
    assert token_expiry(token) == 1861920000.0


@pytest.mark.parametrize("token", [TOKEN, "", "a.b.c", "a.W10.c", "..", jwt(exp="soon"), jwt(exp=True)])
def test_a_token_that_says_nothing_expires_nobody_knows_when(token: str) -> None:
    assert token_expiry(token) is None


def test_an_answer_tells_whose_account_it_comes_from() -> None:
    stage = {"id": 142, "account_id": 9}
    pipeline = {"id": 1, "account_id": 7, "_embedded": {"statuses": [stage, {"id": 143}]}}
    assert account_ids({"_embedded": {"pipelines": [pipeline]}}) == {7, 9}
    assert account_ids({"id": 5, "account_id": 8, "_embedded": {"odd": None}}) == {8}
    assert account_ids({"_embedded": []}) == frozenset()


def test_a_token_is_never_shown() -> None:
    assert TOKEN not in repr(FixedToken(TOKEN))
    assert FixedToken(f" {TOKEN}\n").current() == TOKEN
