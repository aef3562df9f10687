"""Lists in pages: a limit, and a cursor that stays where it is while rows are added."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from ninja import Schema
from pydantic import Field

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000  # rows of one answer
LARGEST = 10**18 - 1  # that every database can look for

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description=f"rows of one answer; {DEFAULT_LIMIT} if it is left out")]
Cursor = Annotated[int, Field(ge=1, le=LARGEST, description="where the page begins: take it from `next`")]
Row = TypeVar("Row", bound=Model)


class Page(Schema):
    """What every list takes. A list that was always whole is in pages only with a `limit`."""

    limit: Limit | None = None
    cursor: Cursor | None = None


def page_of(rows: QuerySet[Row], limit: int | None) -> tuple[list[Row], bool]:
    """Returns the first rows, and whether there are more; all without a limit."""
    if limit is None:
        return list(rows), False
    first = list(rows[: limit + 1])
    return first[:limit], len(first) > limit


class GroupFilters(Page):
    """What lists of the rows of a group take."""

    group: str | None = Field(None, description="name of a sync group")


def page_document(
    request: HttpRequest,
    name: str,
    rows: QuerySet[Row],
    limit: int | None,
    documents: Callable[[list[Row]], list[dict[str, Any]]],
) -> dict[str, Any]:
    """Returns the first rows under `name`, and the address of the page behind them."""
    page, more = page_of(rows, limit)
    return {name: documents(page), "next": next_url(request, page[-1].pk) if more else None}


def next_url(request: HttpRequest, cursor: Any, *, key: str = "cursor") -> str:
    """Returns the address of the page that begins behind `cursor`."""
    query = request.GET.copy()
    query[key] = str(cursor)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
