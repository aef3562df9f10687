"""Reads the shapes that Kommo's answers come in; pure functions that more than one caller needs."""

from collections.abc import Iterator, Mapping
from typing import Any


def items_of(value: Any) -> list[Any] | None:
    """Returns a list as a list, in order, also where it comes as an object keyed by index; None for anything else.

    Kommo is written in PHP, whose lists with a gap become such objects (docs/kommo.md 5.4, reported of more lists).
    """
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping) and all(str(key).isdecimal() for key in value):
        return [value[key] for key in sorted(value, key=int)]
    return None


def account_ids(answer: Mapping[str, Any]) -> frozenset[int]:
    """Returns every `account_id` that an answer names: at its root, on its items, on the stages inside pipelines.

    They tell whose account answered, without a request for it (docs/kommo.md 8).
    """
    return frozenset(
        found
        for item in (answer, *_embedded(answer))
        for holder in (item, *_embedded(item))
        if isinstance(found := holder.get("account_id"), int)
    )


def _embedded(holder: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    embedded = holder.get("_embedded")
    if isinstance(embedded, dict):
        for items in embedded.values():
            yield from (item for item in items_of(items) or () if isinstance(item, dict))
