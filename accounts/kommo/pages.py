"""A list that comes in pages, read to the end or not at all."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from accounts.kommo.answers import JsonObject
from accounts.kommo.errors import BadAnswer

Value = str | int | Sequence[str] | Sequence[int]
Params = Mapping[str, Value]
MAX_PAGES = 1000


class Listing:
    """Collects one list page by page; raises BadAnswer as soon as the pages do not add up."""

    def __init__(self, key: str, *, account: str, path: str) -> None:
        self.items: list[JsonObject] = []
        self._key = key
        self._account = account
        self._path = path
        self._pages = 0
        self._ids: set[Any] = set()
        self._asked: set[str] = set()
        self._total: int | None = None
        self._page_count: int | None = None

    def add(self, answer: JsonObject | None, query: Params) -> Params | None:
        """Takes the answer to `query` (None: 204); gives the query of the next page, None after the last."""
        self._pages += 1
        self._asked.add(_name(query))
        if answer is None:
            if self._pages > 1:
                raise self._bad("a further page was promised, and is empty")
            return None
        self._collect(answer)
        self._note_counts(answer, query)
        following = self._next(answer, query)
        if following is None:
            self._check_complete()
        return following

    def _collect(self, answer: JsonObject) -> None:
        embedded = answer.get("_embedded")
        items = embedded.get(self._key) if isinstance(embedded, dict) else None
        if items is None and not embedded and answer.get("_total_items") in (0, "0"):
            items = []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._bad(f"the answer has no list of {self._key}")
        for item in items:
            number = item.get("id")
            if isinstance(number, int | str):
                if number in self._ids:
                    raise self._bad(f"the item {number} came twice")
                self._ids.add(number)
        self.items += items

    def _note_counts(self, answer: JsonObject, query: Params) -> None:
        total, count, page = (self._count(answer, name) for name in ("_total_items", "_page_count", "_page"))
        if total is not None and self._total not in (None, total):
            raise self._bad(f"the list changed while it was read ({self._total} items, then {total})")
        self._total = total if total is not None else self._total
        self._page_count = count if count is not None else self._page_count
        asked = _first(query.get("page", 1))
        if page is not None and str(page) != asked:
            raise self._bad(f"page {asked} was asked for, page {page} came")

    def _count(self, answer: JsonObject, name: str) -> int | None:
        value = answer.get(name)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise self._bad(f"{name} is not a number")
        return value

    def _next(self, answer: JsonObject, query: Params) -> Params | None:
        links = answer.get("_links")
        link = links.get("next") if isinstance(links, dict) else None
        if link is None:
            return None
        href = link.get("href") if isinstance(link, dict) else None
        if not isinstance(href, str):
            raise self._bad("the link to the next page has no address")
        following = {**query, **self._query_of(href)}
        if _name(following) in self._asked or self._pages >= MAX_PAGES:
            raise self._bad("the pages never end")
        return following

    def _query_of(self, href: str) -> Params:
        """Only the query of the link: its host and path are not ours to follow with a token."""
        try:
            query = parse_qs(urlsplit(href).query, keep_blank_values=True)
        except ValueError:
            query = {}
        if not query:
            raise self._bad("the link to the next page names no page")
        return query

    def _check_complete(self) -> None:
        if self._page_count is not None and max(1, self._page_count) != self._pages:
            raise self._bad(f"{self._page_count} pages were announced, {self._pages} came")
        if self._total is not None and self._total != len(self.items):
            raise self._bad(f"{self._total} {self._key} were announced, {len(self.items)} came")

    def _bad(self, detail: str) -> BadAnswer:
        return BadAnswer(detail, account=self._account, method="GET", path=self._path, status=200)


def _name(query: Params) -> str:
    return repr(sorted({"page": _first(1), **{key: _first(value) for key, value in query.items()}}.items()))


def _first(value: Value) -> str:
    if isinstance(value, str | int):
        return str(value)
    return ",".join(str(part) for part in value)
