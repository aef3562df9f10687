"""Read values of foreign JSON: each is as it has to be, or OddShape names the place where not; null is never a word."""

from collections.abc import Callable
from typing import Any, TypeVar

from accounts.kommo.answer_shapes import items_of
from accounts.kommo.texts import storable
from syncing.adapters.api import Json
from syncing.engine.sentences import gettext_noop

T = TypeVar("T")
MISSING = gettext_noop("it is missing")
NULL = gettext_noop("it is null")
NO_OBJECT = gettext_noop("it is %(value)s, not an object")
NO_LIST = gettext_noop("it is %(value)s, not a list")
NO_TEXT = gettext_noop("it is %(value)s, not a text")
NO_NUMBER = gettext_noop("it is %(value)s, not a number")
UNFIT = gettext_noop("it is %(value)s, with characters that can be neither stored nor sent")


class OddShape(ValueError):
    """A wrong shape; `path` is dotted and relative to the item, as in Kommo's own errors (docs/kommo.md 3)."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(": ".join(filter(None, (path, problem))))
        self.path, self.problem = path, problem

    def inside(self, path: str) -> "OddShape":
        return OddShape(f"{path}.{self.path}".rstrip("."), self.problem)


def fields_of(item: Any) -> Json:
    if not isinstance(item, dict):
        raise OddShape("", NO_OBJECT % {"value": _shown(item)})
    return item


def text(item: Json, key: str) -> str:
    if key not in item:
        raise OddShape(key, MISSING)
    value = optional_text(item, key)
    if value is None:
        raise OddShape(key, NULL)
    return value


def optional_text(item: Json, key: str) -> str | None:
    """Returns a text; None where it is absent or null, which are the same: nobody knows.

    What can be neither stored nor sent (half of a surrogate pair, NUL) is no text: shortened it would be another name.
    """
    value = item.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise OddShape(key, NO_TEXT % {"value": _shown(value)})
    if value is not None and storable(value) != value:
        raise OddShape(key, UNFIT % {"value": _shown(storable(value))})
    return value


def number(item: Json, key: str, default: int | None = None) -> int:
    """Returns a whole number, also of a text; `default` (if there is one) where it is absent or null."""
    value = item.get(key)
    if value is None and default is not None:
        return default
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise OddShape(key, MISSING if key not in item else NO_NUMBER % {"value": _shown(value)})
    return value


def each(item: Json, key: str, parse: Callable[[Any], T]) -> tuple[T, ...]:
    """Parses the items of a list; none where it is absent or null."""
    parsed = []
    for at, value in enumerate(listed(item, key)):
        try:
            parsed.append(parse(value))
        except OddShape as error:
            raise error.inside(f"{key}.{at}") from error
    return tuple(parsed)


def listed(item: Json, key: str) -> list[Any]:
    value = item.get(key)
    items = [] if value is None else items_of(value)
    if items is None:
        raise OddShape(key, NO_LIST % {"value": _shown(value)})
    return items


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return repr(value)[:40] if isinstance(value, str | int | float) else f"a JSON {type(value).__name__}"
