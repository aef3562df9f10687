"""Which answered item is which posted one; also when the answer was lost."""

from collections.abc import Sequence
from typing import TypeVar

from accounts.kommo.errors import BadAnswer
from syncing.adapters.api import Json
from syncing.adapters.batches import Entry
from syncing.engine.match import normal_name

T = TypeVar("T")


def aligned(answer: Json, key: str, bodies: Sequence[Json]) -> list[Json]:
    """The answered items in the order of the request: by `request_id` (Kommo's is the index), else by count and name.

    Raises BadAnswer with unknown outcome if they cannot be told apart: then the account is read again.
    """
    items = (answer.get("_embedded") or {}).get(key) or []
    by_index = {str(item.get("request_id")): item for item in items}
    ordered = [by_index[str(index)] for index in range(len(bodies)) if str(index) in by_index]
    if len(ordered) == len(bodies):
        return ordered
    names = [normal_name(str(item.get("name"))) for item in items]
    if names == [normal_name(body["name"]) for body in bodies]:
        return list(items)
    raise BadAnswer(f"the answer does not tell the new {key} apart", outcome_unknown=True)


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
