"""Reads a list that comes in pages, to the end or not at all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from accounts.kommo.answer_shapes import items_of
from accounts.kommo.answers import JsonObject
from accounts.kommo.errors import BadAnswer, gettext_noop

Value = str | int | Sequence[str] | Sequence[int]
Params = Mapping[str, Value]

MAX_PAGES = 200  # of one list; each has to bring something new
# Kommo's own page sizes (docs/kommo.md 2, 5.1, N8): a page of exactly so many items may have been cut there, whatever
# was asked for.
PAGE_SIZES = frozenset({50, 100, 250})
NAMED_BY_TEXT = "custom_field_groups"  # docs/kommo.md 5.5: the only list whose ids are no numbers


def read_pages(
    get: Callable[[Params], JsonObject | None], key: str, query: Params, *, account: str, path: str
) -> Iterator[list[JsonObject]]:
    """Yields the items under `_embedded.{key}` page by page, none for an empty list.

    `get` asks for one page (None: 204). Raises BadAnswer as soon as the pages do not add up. A list ends when no
    further page is promised and the counts that it names, if any, are right; or when the promised page is empty, and
    the counts add up or the last page was not full. A full page followed by an empty one proves nothing: what lies
    behind it was not seen.
    """
    listing = _Listing(key, account=account, path=path)
    following: Params | None = query
    while following is not None:
        items, following = listing.add(get(following), following)
        if items:
            yield items


class _Listing:
    """Remembers what is known of a list after the pages so far."""

    def __init__(self, key: str, *, account: str, path: str) -> None:
        self._key = key
        self._account = account
        self._path = path
        self._pages = 0
        self._received = 0
        self._size = 0  # of the largest page: what the server really gives at once
        self._full = False  # the latest page
        self._ids: set[str] = set()
        self._asked: set[str] = set()
        self._total: int | None = None
        self._page_count: int | None = None

    def add(self, answer: JsonObject | None, query: Params) -> tuple[list[JsonObject], Params | None]:
        """Takes the answer to `query`; returns its items and the query of the next page, None after the last."""
        self._asked.add(_name(query))
        items = [] if answer is None else self._items_in(answer)
        if answer is not None and (items or not self._pages):
            self._check_counts(answer, query)
        link = "" if answer is None else _link(answer, "next")
        if answer is None or not items:
            self._check_end(promised=bool(self._pages or link))
            return [], None
        self._check_items(items, answer, query)
        named = _query(link)  # and nothing else of it: its host and path are not ours to follow with a token
        following = {**query, **named}
        leads_nowhere = not named or _name(following) in self._asked
        if not link or (leads_nowhere and self._total == self._received):
            self._check_end(promised=False)
            return items, None
        if not named:
            raise self._bad(gettext_noop("the link to the next page names no page"))
        if leads_nowhere or self._pages >= MAX_PAGES:
            raise self._bad(gettext_noop("the pages never end"))
        return items, following

    def _items_in(self, answer: JsonObject) -> list[JsonObject]:
        embedded = answer.get("_embedded")
        value = embedded.get(self._key) if isinstance(embedded, dict) else None
        if self._pages and not value:  # the empty page behind the last one comes in every shape
            return []
        if value is None and not embedded and answer.get("_total_items") in (0, "0"):
            return []
        items = items_of(value)
        if items is None or value == {}:
            raise self._bad(gettext_noop("the answer has no list of %(list)s") % {"list": self._key})
        return items

    def _check_counts(self, answer: JsonObject, query: Params) -> None:
        """Stores the counts that the answer names; raises when they contradict earlier ones, or the query."""
        counts: list[int | None] = []
        for name in ("_total_items", "_page_count", "_page"):
            value = answer.get(name)
            if isinstance(value, str) and value.isdecimal():
                value = int(value)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
                raise self._bad(gettext_noop("%(name)s is not a number") % {"name": name})
            counts.append(value)
        total, count, page = counts
        if total is not None and self._total not in (None, total):
            raise self._bad(
                gettext_noop("the list changed while it was read (%(before)s items, then %(after)s)")
                % {"before": self._total, "after": total}
            )
        self._total = total if total is not None else self._total
        self._page_count = count if count is not None else self._page_count
        asked = _first(query.get("page", 1))
        if page is not None and str(page) != asked:
            raise self._bad(
                gettext_noop("page %(asked)s was asked for, page %(page)s came") % {"asked": asked, "page": page}
            )

    def _check_items(self, items: Sequence[Any], answer: JsonObject, query: Params) -> None:
        """Raises unless the page brings something new; an odd item, without an id that is one, is not judged here."""
        is_new = False
        for item in items:
            value = item.get("id") if isinstance(item, dict) else None
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            text = str(value).strip() if isinstance(value, int | str) else ""
            if not text or not (self._key == NAMED_BY_TEXT or text.isdecimal()):
                continue  # groups have any text ("leads_123", "default"), all others a whole number
            if text in self._ids:
                raise self._bad(gettext_noop("the item %(item)s came twice") % {"item": text})
            self._ids.add(text)
            is_new = True
        if self._pages and not is_new:
            raise self._bad(gettext_noop("a further page brought nothing that could be told from the others"))
        named = [_limit(_query(_link(answer, name))) for name in ("self", "next")]  # as the links to pages say
        limits = [limit for limit in (_limit(query), *named, self._size) if limit]
        self._pages += 1
        self._received += len(items)
        self._size = max(self._size, len(items))
        self._full = len(items) in PAGE_SIZES or any(len(items) >= limit for limit in limits)

    def _check_end(self, *, promised: bool) -> None:
        """Raises unless this is the end; `promised`: another page was, and nothing is on it.

        What the list says of its items outweighs what it says of its pages, and both outweigh a link.
        """
        if self._total is not None and self._total != self._received:
            raise self._bad(
                gettext_noop("%(announced)s %(list)s were announced, %(count)s came")
                % {"announced": self._total, "list": self._key, "count": self._received}
            )
        if promised and self._total is None and self._page_count != self._pages and (self._full or not self._pages):
            raise self._bad(gettext_noop("a further page was promised, and is empty"))
        if promised or self._page_count is None:
            return
        if max(1, self._page_count) != max(1, self._pages) and (self._total is None or self._page_count > self._pages):
            raise self._bad(
                gettext_noop("%(announced)s pages were announced, %(count)s came")
                % {"announced": self._page_count, "count": self._pages}
            )

    def _bad(self, detail: str) -> BadAnswer:
        return BadAnswer(detail, account=self._account, method="GET", path=self._path, status=200)


def _link(answer: JsonObject, name: str) -> str:
    """Returns the address under `_links`; "" if there is none: absent, null, empty, or links as PHP's empty list."""
    links = answer.get("_links")
    link = links.get(name) if isinstance(links, dict) else None
    href = link.get("href") if isinstance(link, dict) else link
    return href if isinstance(href, str) else ""


def _query(href: str) -> dict[str, list[str]]:
    try:
        return parse_qs(urlsplit(href).query, keep_blank_values=True)
    except ValueError:
        return {}


def _limit(query: Params) -> int:
    text = _first(query.get("limit", ""))
    return int(text) if text.isdecimal() else 0


def _name(query: Params) -> str:
    return repr(sorted({"page": _first(1), **{key: _first(value) for key, value in query.items()}}.items()))


def _first(value: Value) -> str:
    if isinstance(value, str | int):
        return str(value)
    return ",".join(str(part) for part in value)
