"""Answers in odd shapes: lists as objects keyed by index, and single items that are not as documented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from accounts.simulator.messages import SimAnswer, encode

LISTS = frozenset({
    "pipelines", "statuses", "custom_field_groups", "custom_fields", "fields", "enums", "required_statuses",
    "hidden_statuses", "custom_fields_values", "values", "leads", "contacts", "companies",
})  # fmt: skip


def _is_whole(answer: SimAnswer) -> bool:
    """Returns whether it is JSON that no fault has cut."""
    return bool(answer.body) and "json" in answer.content_type and answer.declared is None


def with_half_of_lists(answer: SimAnswer) -> SimAnswer:
    """Returns the answer without the second half of its list; the totals stay."""
    if not _is_whole(answer):
        return answer
    document = json.loads(answer.body)
    for name, items in document.get("_embedded", {}).items():
        document["_embedded"][name] = items[: len(items) // 2]
    return replace(answer, body=encode(document))


def with_lists_as_objects(answer: SimAnswer) -> SimAnswer:
    """Returns the answer with every list that has something in it as an object keyed by index (docs/kommo.md 5.4)."""
    if not _is_whole(answer):
        return answer
    return replace(answer, body=encode(_keyed(json.loads(answer.body))))


def _keyed(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _keyed(each, key) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    items = [_keyed(each) for each in value]
    return {str(at): each for at, each in enumerate(items)} if items and name in LISTS else items


def with_odd_item(answer: SimAnswer, number: int | str, at: str, value: Any, *, missing: bool) -> SimAnswer:
    """Returns the answer with another `value` at a dotted path inside the item of this id, or without the key there."""
    if not _is_whole(answer):
        return answer
    document = json.loads(answer.body)
    *way, last = at.split(".")
    for item in _items(document, number):
        holder: Any = item
        for step in way:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        if missing:
            del holder[last]
        else:
            holder[last] = value
    return replace(answer, body=encode(document))


def _items(value: Any, number: int | str) -> Iterator[dict[str, Any]]:
    """Yields every object with this id, at any depth."""
    if isinstance(value, dict):
        if value.get("id") == number:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _items(each, number)
