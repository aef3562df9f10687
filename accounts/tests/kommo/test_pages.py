"""Lists come whole or not at all."""

from typing import Any

import pytest
from requests_mock import Mocker

from accounts.kommo.errors import BadAnswer, ServerError
from accounts.kommo.pages import MAX_PAGES
from accounts.tests.kommo.world import API, make_client, page

URL = f"{API}/leads/custom_fields"
KEY = "custom_fields"


def read_all(key: str = KEY, **more: Any) -> list[int]:
    items = make_client().get_all("/leads/custom_fields", key, **more)
    return [item["id"] for item in items]


def answers(*bodies: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [{"status_code": 204} if body is None else {"json": body} for body in bodies]


def test_it_follows_the_pages_to_the_end(requests_mock: Mocker) -> None:
    whole = {"_total_items": 3, "_page_count": 3}
    pages = (page(KEY, [1], next_page=2, **whole), page(KEY, [2], next_page=3, **whole), page(KEY, [3], **whole))
    requests_mock.get(URL, answers(*pages))
    assert read_all(params={"order[id]": "asc"}) == [1, 2, 3]
    queries = [request.qs for request in requests_mock.request_history]
    assert queries == [
        {"order[id]": ["asc"], "limit": ["250"]},
        {"order[id]": ["asc"], "limit": ["250"], "page": ["2"]},
        {"order[id]": ["asc"], "limit": ["250"], "page": ["3"]},
    ]


def test_it_never_goes_where_a_next_link_points_to(requests_mock: Mocker) -> None:
    first = page(KEY, [1])
    first["_links"]["next"] = {"href": "https://thief.example/steal?page=2"}
    requests_mock.get(URL, answers(first, page(KEY, [2])))
    assert read_all() == [1, 2]
    assert {request.hostname for request in requests_mock.request_history} == {"north.kommo.com"}


def test_no_content_is_an_empty_list(requests_mock: Mocker) -> None:
    requests_mock.get(URL, status_code=204)
    assert read_all() == []


def test_a_list_without_pages_is_asked_without_a_limit(requests_mock: Mocker) -> None:
    requests_mock.get(URL, json=page(KEY, [1, 2], _total_items=2))
    assert read_all(page_size=None) == [1, 2]
    assert requests_mock.last_request.qs == {}


def full(*, next_page: int | None = 2, size: int = 250, start: int = 1, **more: Any) -> dict[str, Any]:
    return page(KEY, list(range(start, start + size)), next_page=next_page, **more)


def hollow(next_page: int | None = None, **more: Any) -> dict[str, Any]:
    return page(KEY, [], next_page=next_page, **more)


def linked(body: dict[str, Any], **links: Any) -> dict[str, Any]:
    return {**body, "_links": links}


# What comes for the promised page behind the last one.
EMPTY: dict[str, dict[str, Any] | None] = {
    "204": None,
    "an empty list": hollow(),
    "an empty list that promises more": hollow(3),
    "an empty list with counts of its own": hollow(_total_items=0, _page_count=0, _page=2),
    "an empty object": {**hollow(), "_embedded": {KEY: {}}},
    "nothing embedded": {"_embedded": []},
    "no list": {"_links": {}},
}
ENDED: dict[str, dict[str, Any]] = {
    "not full": page(KEY, [1, 2], next_page=2),
    "full, and the items are as announced": full(_total_items=250),
    "full, and the pages are as announced": full(_page_count=1),
    "not full, though one page more was announced": page(KEY, [1], next_page=2, _page_count=2),
    "as many items as announced, though one page more was": page(KEY, [1], next_page=2, _total_items=1, _page_count=2),
}


@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.parametrize("last", ENDED)
def test_an_empty_page_ends_a_list_whose_counts_add_up_or_whose_last_page_was_not_full(
    last: str, empty: str, requests_mock: Mocker
) -> None:
    requests_mock.get(URL, answers(ENDED[last], EMPTY[empty]))
    assert len(read_all()) == len(ENDED[last]["_embedded"][KEY])
    assert requests_mock.call_count == 2


UNENDED: dict[str, tuple[dict[str, Any], ...]] = {
    "full as asked": (full(),),
    "full as Kommo's default": (full(size=50),),
    "full as its own link says": (linked(full(size=30), self={"href": "/x?limit=30"}, next={"href": "/x?page=2"}),),
    "full as the next link says": (linked(full(size=30), next={"href": "/x?page=2&limit=30"}),),
    "as full as the page before": (full(size=20), full(size=20, start=21, next_page=3)),
    "full, and more pages were announced": (full(_page_count=2),),
}


@pytest.mark.parametrize("empty", [each for each in EMPTY if "counts" not in each])
@pytest.mark.parametrize("last", UNENDED)
def test_an_empty_page_behind_a_full_one_is_not_the_end_of_a_list_without_counts(
    last: str, empty: str, requests_mock: Mocker
) -> None:
    requests_mock.get(URL, answers(*UNENDED[last], EMPTY[empty]))
    with pytest.raises(BadAnswer, match="a further page was promised, and is empty"):
        read_all()
    assert requests_mock.call_count == len(UNENDED[last]) + 1


def test_a_first_page_that_is_empty_and_promises_more_is_not_an_empty_list(requests_mock: Mocker) -> None:
    requests_mock.get(URL, answers(hollow(2)))
    with pytest.raises(BadAnswer, match="promised"):
        read_all()
    requests_mock.get(URL, answers(hollow(2, _total_items=0)))
    assert read_all() == []


@pytest.mark.parametrize("link", [None, {"href": None}, {"href": ""}, {}, ""], ids=str)
def test_a_link_without_an_address_promises_nothing(link: Any, requests_mock: Mocker) -> None:
    requests_mock.get(URL, answers(linked(full(), next=link)))
    assert len(read_all()) == 250


def test_links_as_an_empty_list_promise_nothing(requests_mock: Mocker) -> None:
    requests_mock.get(URL, answers({**page(KEY, [1]), "_links": []}))
    assert read_all() == [1]


def test_a_link_is_followed_as_a_bare_address_too(requests_mock: Mocker) -> None:
    requests_mock.get(URL, answers(linked(page(KEY, [1]), next=f"{API}/{KEY}?page=2"), page(KEY, [2])))
    assert read_all() == [1, 2]


@pytest.mark.parametrize("href", ["/x", f"{API}/{KEY}?page=1&limit=250"])
def test_a_list_whose_items_are_all_there_ends_where_its_link_leads_nowhere(href: str, requests_mock: Mocker) -> None:
    requests_mock.get(URL, answers(linked(page(KEY, [1, 2], _total_items=2), next={"href": href})))
    assert read_all() == [1, 2]


def test_a_list_keyed_by_index_is_a_list(requests_mock: Mocker) -> None:
    requests_mock.get(URL, json={"_embedded": {KEY: {"1": {"id": 2}, "0": {"id": 1}}}, "_total_items": 2})
    assert read_all() == [1, 2]


def test_too_low_a_number_of_pages_hides_nothing_where_the_items_add_up(requests_mock: Mocker) -> None:
    whole = {"_total_items": 2, "_page_count": 1}
    requests_mock.get(URL, answers(page(KEY, [1], next_page=2, **whole), page(KEY, [2], **whole)))
    assert read_all() == [1, 2]


def test_no_more_pages_are_asked_for_than_any_list_has(requests_mock: Mocker) -> None:
    def endless(request: Any, context: Any) -> dict[str, Any]:
        at = int(request.qs.get("page", ["1"])[0])
        return page(KEY, [at], next_page=at + 1)

    requests_mock.get(URL, json=endless)
    with pytest.raises(BadAnswer, match="never end"):
        read_all()
    assert requests_mock.call_count == MAX_PAGES


LIES: dict[str, tuple[dict[str, Any] | None, ...]] = {
    "3 custom_fields were announced, 1 came": (page(KEY, [1], _total_items=3),),
    "1 custom_fields were announced, 2 came": (page(KEY, [1, 2], _total_items=1),),
    "3 custom_fields were announced, 2 came": (page(KEY, [1, 2], next_page=2, _total_items=3), None),
    "2 pages were announced, 1 came": (page(KEY, [1], _page_count=2),),
    "1 pages were announced, 2 came": (page(KEY, [1], next_page=2, _page_count=1), page(KEY, [2])),
    "the pages never end": (page(KEY, [1], next_page=2), page(KEY, [2], next_page=2)),
    "the item 1 came twice": (page(KEY, [1], next_page=2), page(KEY, [1])),
    "nothing that could be told": (page(KEY, [1], next_page=2), {"_embedded": {KEY: [{"name": "x"}]}}),
    "page 2 was asked for, page 1 came": (page(KEY, [1], next_page=2, _page=1), page(KEY, [2], _page=1)),
    "the list changed while it was read": (
        page(KEY, [1], next_page=2, _total_items=2),
        page(KEY, [2], _total_items=3),
    ),
    "_total_items is not a number": (page(KEY, [1], _total_items="many"),),
    "_page_count is not a number": (page(KEY, [1], _page_count=True),),
    "the link to the next page names no page": (linked(page(KEY, [1]), next={"href": "/x"}),),
}


def test_an_id_that_is_no_number_tells_nothing_and_may_come_twice(requests_mock: Mocker) -> None:
    """Such items are odd, and the reader's to hold back."""
    odd = {"_embedded": {KEY: [{"id": 1}, {"id": "x"}, {"id": "x"}, {"id": True}, {"id": True}]}}
    requests_mock.get(URL, json=odd)
    assert len(read_all()) == 5


@pytest.mark.parametrize("again", ["1", " 1", 1.0], ids=repr)
def test_the_same_number_in_other_letters_came_twice(again: object, requests_mock: Mocker) -> None:
    requests_mock.get(URL, json={"_embedded": {KEY: [{"id": 1}, {"id": again}]}})
    with pytest.raises(BadAnswer, match="the item 1 came twice"):
        read_all()


def test_groups_are_named_by_a_text_and_none_of_them_may_come_twice(requests_mock: Mocker) -> None:
    listed = {"_embedded": {"custom_field_groups": [{"id": "default"}, {"id": "default"}]}}
    requests_mock.get(URL, json=listed)
    with pytest.raises(BadAnswer, match="the item default came twice"):
        read_all("custom_field_groups")


@pytest.mark.parametrize("lie", LIES)
def test_pages_that_do_not_add_up_are_refused(lie: str, requests_mock: Mocker) -> None:
    requests_mock.get(URL, answers(*LIES[lie]))
    with pytest.raises(BadAnswer, match=lie) as caught:
        read_all()
    assert (caught.value.account, caught.value.path) == ("north", "/leads/custom_fields")


def test_the_first_page_again_under_its_own_number_is_refused(requests_mock: Mocker) -> None:
    requests_mock.get(URL, answers(page(KEY, [1], next_page=1)))
    with pytest.raises(BadAnswer, match="never end"):
        read_all()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"_embedded": []},
        {"_embedded": {}},
        {"_embedded": {KEY: None}},
        {"_embedded": {KEY: {}}},
    ],
    ids=str,
)
def test_an_answer_without_the_list_is_not_an_empty_list(body: dict[str, Any], requests_mock: Mocker) -> None:
    requests_mock.get(URL, json=body)
    with pytest.raises(BadAnswer, match="no list of custom_fields"):
        read_all()


def test_an_error_on_a_later_page_fails_the_whole_list(requests_mock: Mocker) -> None:
    requests_mock.get(URL, [*answers(page(KEY, [1], next_page=2)), {"status_code": 500}])
    with pytest.raises(ServerError):
        read_all()
