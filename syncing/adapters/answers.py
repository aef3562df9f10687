"""Which answered item is which posted one; also when the answer was lost."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from accounts.kommo.errors import BadAnswer
from syncing.adapters.api import Json
from syncing.adapters.batches import Entry
from syncing.adapters.reader import MALFORMED
from syncing.engine.match import normal_name

T = TypeVar("T")


def aligned(answer: Json, key: str, bodies: Sequence[Json], parse: Callable[[Json], object]) -> list[Json]:
    """The answered items in the order of the request: by `request_id` (Kommo's is the index), else by count and name.

    Raises BadAnswer with unknown outcome if they cannot be told apart, or if `parse` cannot make sense of one: then
    the account is read again.
    """
    embedded = answer.get("_embedded")
    items = embedded.get(key) if isinstance(embedded, dict) else None
    if not isinstance(items, list) or not all(_makes_sense(item, parse) for item in items):
        raise BadAnswer(f"the answer does not show the new {key}", outcome_unknown=True)
    by_index = {str(item.get("request_id")): item for item in items}
    ordered = [by_index[str(index)] for index in range(len(bodies)) if str(index) in by_index]
    if len(ordered) == len(bodies):
        return ordered
    names = [normal_name(str(item.get("name"))) for item in items]
    if names == [normal_name(body["name"]) for body in bodies]:
        return items
    raise BadAnswer(f"the answer does not tell the new {key} apart", outcome_unknown=True)


def _makes_sense(item: object, parse: Callable[[Json], object]) -> bool:
    try:
        return isinstance(item, dict) and parse(item) is not None
    except MALFORMED:
        return False


def newcomers(
    items: Sequence[Json], before: Collection[str], key_of: Callable[[Json], str], parse: Callable[[Json], object]
) -> list[Json]:
    """After a lost answer: the items that were not there `before` (keys).

    Raises BadAnswer if an item makes no sense, or if nothing of what was there is there now: such a list is no proof
    that the write did not happen.
    """
    if not all(_makes_sense(item, parse) for item in items):
        raise BadAnswer("an item has an unexpected shape")
    keys = {key_of(item) for item in items}
    if before and not keys & set(before):
        raise BadAnswer("the list came without anything that was in it before")
    return [item for item in items if key_of(item) not in before]


def adopt(chunk: Sequence[Entry[T]], fresh: Sequence[Json]) -> dict[int, Json]:
    """After a lost answer: which items that were not there before are the posted ones; by name and type, in order."""
    left = sorted(fresh, key=lambda item: (len(str(item["id"])), str(item["id"])))
    found: dict[int, Json] = {}
    for index, entry in enumerate(chunk):
        twin = next((item for item in left if _same(entry.body, item)), None)
        if twin is not None:
            left.remove(twin)
            found[index] = twin
    return found


def _same(body: Json, item: Json) -> bool:
    return normal_name(body["name"]) == normal_name(str(item.get("name"))) and (
        "type" not in body or body["type"] == item.get("type")
    )
