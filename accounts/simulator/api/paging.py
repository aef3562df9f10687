"""Lists in pages: 50 items unless asked, at most 250, links to the others, 204 when there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from accounts.simulator.messages import Call, SimAnswer, nothing, success
from accounts.simulator.problems import ProblemAnswer
from accounts.simulator.render import link

DEFAULT_LIMIT = 50
MAX_LIMIT = 250
T = TypeVar("T")


def page_of(
    call: Call, items: Sequence[T], plural: str, render: Callable[[T], Any], *, totals: bool = True
) -> SimAnswer:
    """Returns the page that the query asks for.

    Raises ProblemAnswer for a limit over 250 (422) or a number that is none (400).
    Without `totals` nothing tells how much there is: only the link to the next page, as long as there is one.
    """
    page, limit = _number(call, "page", 1), _number(call, "limit", DEFAULT_LIMIT)
    if limit > MAX_LIMIT:
        raise ProblemAnswer(422, f"Limit {MAX_LIMIT} per page")
    items = call.visible(items)
    on_page = items[(page - 1) * limit : page * limit]
    behind = call.variants.empty_page_behind
    if not on_page and (page == 1 or behind in ("", "204")):
        return nothing()
    count = -(-len(items) // limit)
    body: dict[str, Any] = {"_total_items": len(items)} if totals else {}
    body["_page"] = page
    if totals:
        body["_page_count"] = count
    body["_links"] = _links(call, page, limit, count, totals=totals)
    body["_embedded"] = {plural: [render(item) for item in on_page]}
    return success(body)


def in_order(call: Call, items: Sequence[T]) -> Sequence[T]:
    """Returns the items, which come in the order of their ids, as order[id] wants them; it knows no other order."""
    return items[::-1] if call.parameter("order[id]") == "desc" else items


def _number(call: Call, name: str, default: int) -> int:
    text = call.parameter(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise ProblemAnswer(400, f"Invalid value of {name}")
    return int(text)


def _links(call: Call, page: int, limit: int, count: int, *, totals: bool) -> dict[str, Any]:
    others = [(key, value) for key, value in call.query if key not in ("page", "limit")]

    def href(number: int) -> dict[str, str]:
        query = urlencode([*others, ("page", number), ("limit", limit)])
        return {"href": f"{call.base}{call.path}?{query}"}

    links: dict[str, Any] = link(call.url)
    behind = call.variants.empty_page_behind
    if page < count or (behind and page == count) or behind == "endless":
        links |= {"next": href(page + 1)} | ({"last": href(count)} if totals else {})
    if page > 1:
        links |= {"first": href(1), "prev": href(page - 1)}
    return links
