"""Lists come whole or not at all."""

from typing import Any

import pytest
from requests_mock import Mocker

from accounts.kommo.errors import BadAnswer, ServerError
from accounts.tests.kommo.world import API, make_client, page

URL = f"{API}/leads/custom_fields"
KEY = "custom_fields"


def read_all(**more: Any) -> list[int]:
    items = make_client().get_all("/leads/custom_fields", KEY, **more)
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


LIES: dict[str, tuple[dict[str, Any] | None, ...]] = {
    "a further page was promised, and is empty": (page(KEY, [1], next_page=2), None),
    "3 custom_fields were announced, 1 came": (page(KEY, [1], _total_items=3),),
    "1 custom_fields were announced, 2 came": (page(KEY, [1, 2], _total_items=1),),
    "2 pages were announced, 1 came": (page(KEY, [1], _page_count=2),),
    "1 pages were announced, 2 came": (page(KEY, [1], next_page=2, _page_count=1), page(KEY, [2])),
    "the pages never end": (page(KEY, [1], next_page=2), page(KEY, [2], next_page=2)),
    "the item 1 came twice": (page(KEY, [1], next_page=2), page(KEY, [1])),
    "page 2 was asked for, page 1 came": (page(KEY, [1], next_page=2, _page=1), page(KEY, [2], _page=1)),
    "the list changed while it was read": (
        page(KEY, [1], next_page=2, _total_items=2),
        page(KEY, [2], _total_items=3),
    ),
    "_total_items is not a number": (page(KEY, [1], _total_items="many"),),
    "_page_count is not a number": (page(KEY, [1], _page_count=True),),
    "the link to the next page names no page": ({**page(KEY, [1]), "_links": {"next": {"href": "/x"}}},),
    "the link to the next page has no address": ({**page(KEY, [1]), "_links": {"next": {}}},),
}


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
        {"_embedded": {KEY: [1]}},
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
