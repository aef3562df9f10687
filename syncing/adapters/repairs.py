"""Repairs: a refused optional part costs only itself; what is missing then is seen at the re-reading."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from accounts.kommo.errors import FieldError, KommoError, Validation
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import Entry

T = TypeVar("T")
BodyPath = tuple[str | int, ...]  # the keys and indexes that lead to a part of a body

# The parts that a field can be created without; docs/kommo.md 5.2 has conflicting readings of each.
OPTIONAL_OF_NEW_FIELD = frozenset({
    "code", "group_id", "hidden_statuses", "is_api_only", "remind", "required_statuses", "sort", "tracking_callback",
})  # fmt: skip
OPTIONAL_OF_FIELD = OPTIONAL_OF_NEW_FIELD | {"name"}
OPTIONAL_OF_STAGE = frozenset({"color", "descriptions"})
OPTIONAL_OF_PIPELINE = frozenset({"is_main", "is_unsorted_on", "sort"})
ALWAYS_THERE = frozenset({"id", "currency"})
WORD = re.compile(r"[^.\[\]/\\\s]+")


@dataclass(frozen=True)
class OptionalParts:
    """The parts that a body may go without, and the item as it is now.

    `keys` may be left out, or entries of their lists; of `needed` keys the account's own value is sent instead.
    `present` is the item now, as a body (empty for one that is being created): its options are never left out, as that
    deletes them (docs/kommo.md 5.4).
    """

    keys: frozenset[str]
    needed: frozenset[str] = frozenset()
    present: Mapping[str, Any] = field(default_factory=dict)

    def changes_nothing(self, body: Json) -> bool:
        return all(key in ALWAYS_THERE or (key in self.present and self.present[key] == body[key]) for key in body)


@dataclass(frozen=True)
class ReducedBody:
    """A body without what was refused: the parts in words, the new options by name (`option_name`) and in words."""

    body: Json
    parts: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


def complaints(error: Validation) -> Iterator[FieldError]:
    for item in error.items:
        yield from item.errors


def body_path(body: Json, path: str) -> BodyPath:
    """Returns the place in `body` that a complaint points to, however it is spelled; () if nowhere.

    `enums.0.value`, `enums[0][value]`, `/enums/0/value`; the item's index or the list's name may stand in front.
    """
    words = WORD.findall(path)
    for start in range(len(words)):
        place: list[str | int] = []
        here: Any = body
        for word in words[start:]:
            if isinstance(here, dict) and word not in here and word in (here.get("_embedded") or {}):
                place.append("_embedded")
                here = here["_embedded"]
            if isinstance(here, dict) and word in here:
                place.append(word)
                here = here[word]
            elif isinstance(here, list) and word.isdecimal() and int(word) < len(here):
                place.append(int(word))
                here = here[int(word)]
            else:
                break
        if place:
            return tuple(place)
    return ()


def located_complaints(body: Json, error: Validation) -> list[tuple[BodyPath, FieldError]]:
    """Returns every complaint with its place; [] unless each has one."""
    located = [(body_path(body, complaint.path), complaint) for complaint in complaints(error)]
    return located if all(at for at, _ in located) else []


def reduce_body(body: Json, error: Validation, optional: OptionalParts) -> ReducedBody | None:
    """Returns the body without what was refused; None if no complaint says which, or one is about another part."""
    reduced = ReducedBody(body)
    for at, complaint in located_complaints(body, error):
        without = _without_option(reduced, at, complaint, optional) if at[0] == "enums" else None
        without = without or _without_part(reduced, at, complaint, optional)
        if without is None:
            return None
        reduced = without
    lists = {key: value for key, value in reduced.body.items() if isinstance(value, list)}
    compact = reduced.body | {key: [entry for entry in value if entry is not None] for key, value in lists.items()}
    if not compact.get("enums"):
        compact.pop("enums", None)  # an empty list of options is not sent
    reduced = replace(reduced, body=compact)
    return None if reduced.body == body or optional.changes_nothing(reduced.body) else reduced


def _without_part(
    reduced: ReducedBody, at: BodyPath, complaint: FieldError, optional: OptionalParts
) -> ReducedBody | None:
    key, parts = str(at[0]), (*reduced.parts, str(complaint))
    if key in optional.needed and optional.present.get(key, reduced.body[key]) != reduced.body[key]:
        return replace(reduced, body={**reduced.body, key: optional.present[key]}, parts=parts)
    if key not in optional.keys or (key in optional.needed and len(at) == 1):
        return None
    if len(at) > 1 and isinstance(reduced.body.get(key), list):
        entries = [None if index == at[1] else entry for index, entry in enumerate(reduced.body[key])]
        return replace(reduced, body={**reduced.body, key: entries}, parts=parts)
    return replace(reduced, body={name: value for name, value in reduced.body.items() if name != key}, parts=parts)


def _without_option(
    reduced: ReducedBody, at: BodyPath, complaint: FieldError, optional: OptionalParts
) -> ReducedBody | None:
    """Leaves out a new option; a changed one stays as it is."""
    if len(at) < 2:
        return None  # the list itself
    options, index = list(reduced.body["enums"]), int(at[1])
    option = options[index]
    if option is None:
        return reduced
    words = f"{option_name(option)}: {complaint.detail or complaint.code}"
    if at[2:] in (("code",), ("sort",)):
        options[index] = {key: value for key, value in option.items() if key != at[2]}
        return replace(reduced, body={**reduced.body, "enums": options}, parts=(*reduced.parts, words))
    if "id" not in option:
        options[index] = None
        return ReducedBody(
            {**reduced.body, "enums": options}, reduced.parts, {**reduced.options, option_name(option): words}
        )
    present = next((each for each in optional.present.get("enums", ()) if each["id"] == option["id"]), option)
    if present["value"] == option["value"]:
        return None  # not even as it is: the list cannot be sent
    options[index] = {**option, "value": present["value"]}
    return replace(reduced, body={**reduced.body, "enums": options}, parts=(*reduced.parts, words))


def demands_options(error: Validation) -> bool:
    """Tells if options are demanded, as by some PATCHes of select fields (docs/kommo.md 5.4)."""
    return any(WORD.findall(complaint.path)[-1:] == ["enums"] for complaint in complaints(error))


def reduce_update(entry: Entry[T], error: Validation, optional: OptionalParts) -> Entry[T] | None:
    """Returns the update without what was refused of it."""
    reduced = reduce_body(entry.body, error, optional)
    if reduced is None:
        return None
    refused = (*entry.refused, *reduced.parts, *reduced.options.values())
    return replace(entry, body=reduced.body, refused=refused, left_out=entry.left_out | reduced.options.keys())


def split_update(entry: Entry[T], error: KommoError, optional: OptionalParts) -> dict[str, Callable[[], Json]]:
    """Splits a change into its attributes, each beside what must always be sent; {} if the refusal says its cause."""
    if isinstance(error, Validation) and located_complaints(entry.body, error):
        return {}
    always = {key: optional.present[key] for key in optional.needed if key in optional.present}
    always |= {key: entry.body[key] for key in ALWAYS_THERE & entry.body.keys()}
    news = [key for key, value in entry.body.items() if key not in always or always[key] != value]
    return {key: partial(dict[str, Any], {**always, key: entry.body[key]}) for key in news}


def refused_options(body: Json, error: KommoError) -> tuple[str, ...]:
    """Returns the options that a refusal is about, by their values: its paths only count them."""
    located = located_complaints(body, error) if isinstance(error, Validation) else []
    options = dict.fromkeys(int(at[1]) for at, _ in located if at[0] == "enums" and len(at) > 1)
    return tuple(f"{option_name(body['enums'][index])}." for index in options)


def option_name(option: Json) -> str:
    return f"option {option['value']!r}"


def reduce_creation(entry: Entry[T], error: Validation, optional: OptionalParts, may_guess: bool) -> Entry[T] | None:
    """Returns the item to create without what was refused of it.

    Where nothing says what: without all that is optional, then with fewer options. Whatever is left out is added when
    the item is there; an option that was refused is not tried again, and reported.
    """
    reduced = reduce_body(entry.body, error, optional)
    if reduced is not None:
        if "enums" in entry.body and "enums" not in reduced.body:
            return None
        refused = (*entry.refused, *reduced.options.values())
        return replace(entry, body=reduced.body, refused=refused, left_out=entry.left_out | reduced.options.keys())
    if not may_guess or located_complaints(entry.body, error):
        return None
    whole = entry.whole or entry.body
    bare = {key: value for key, value in whole.items() if key not in optional.keys}
    guesses = [bare, *({**bare, "enums": some} for some in halves_and_quarters(bare.get("enums", ())))]
    for number, body in enumerate(guesses[entry.guesses :], start=entry.guesses + 1):
        if body != entry.body:
            return replace(entry, body=body, whole=whole, guesses=number)
    return None


def halves_and_quarters(items: Sequence[T]) -> list[Sequence[T]]:
    """Returns the parts of a list to try where nothing says which item was refused: its halves, then its quarters."""
    sizes = dict.fromkeys(((len(items) + 1) // 2, (len(items) + 3) // 4))
    return [items[start : start + size] for size in sizes if size < len(items) for start in range(0, len(items), size)]
