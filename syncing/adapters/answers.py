"""Find out which answered item is which posted one; also when the answer was lost."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from accounts.kommo.answer_shapes import items_of
from accounts.kommo.errors import BadAnswer
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import Entry
from syncing.adapters.parsing import MALFORMED
from syncing.engine.name_pairing import is_spelling, pair_names, pair_rest, pair_spellings
from syncing.engine.refs import Kind, Ref, enum_key
from syncing.engine.resources.custom_fields import CustomField, Enum
from syncing.engine.sentences import gettext_noop

T = TypeVar("T")


def aligned(answer: Json, key: str, bodies: Sequence[Json], parse: Callable[[Json], object]) -> list[Json]:
    """Returns the answered items in the order of the request.

    By `request_id` (Kommo's is the index), unless the names of all of them plainly tell another order; else by name,
    namesakes and the others in the order of their making, if they are as many as were sent. A name may read back
    differently and is still ours.

    Raises BadAnswer with unknown outcome if they cannot be told apart, or if `parse` cannot make sense of one: then
    the account is read again.
    """
    embedded = answer.get("_embedded")
    items = items_of(embedded.get(key)) if isinstance(embedded, dict) else None
    if items is None or not all(_makes_sense(item, parse) for item in items):
        raise BadAnswer(gettext_noop("the answer does not show the new %(what)s") % {"what": key}, outcome_unknown=True)
    by_index = {str(item.get("request_id")): item for item in items}
    ordered = [by_index[str(index)] for index in range(len(bodies)) if str(index) in by_index]
    names = [body["name"] for body in bodies]
    if len(ordered) == len(bodies):
        answered = [_name(item) for item in ordered]
        pairs = {} if all(map(is_spelling, names, answered)) else pair_names(names, answered)
        return [ordered[pairs[at]] for at in range(len(bodies))] if len(pairs) == len(bodies) else ordered
    items = sorted(items, key=_by_making)
    pairs = pair_names(names, [_name(item) for item in items])
    in_order = [pairs[at] for at in sorted(pairs)] == sorted(pairs.values())
    if len(items) == len(bodies) and (in_order or len(pairs) == len(bodies)):
        pairs = pair_rest(pairs, len(bodies), len(items))
        return [items[pairs[at]] for at in range(len(bodies))]
    raise BadAnswer(
        gettext_noop("the answer does not tell the new %(what)s apart") % {"what": key}, outcome_unknown=True
    )


def _by_making(item: Json) -> tuple[int, str]:
    """Sorts by id: ids grow, and nothing says that an answer keeps the order of its request."""
    return len(str(item["id"])), str(item["id"])


def _name(item: Json) -> str:
    return str(item.get("name") or "")


def _makes_sense(item: object, parse: Callable[[Json], object]) -> bool:
    try:
        return isinstance(item, dict) and parse(item) is not None
    except MALFORMED:
        return False


def new_items(
    items: Sequence[Json], before: Collection[str], key_of: Callable[[Json], str], parse: Callable[[Json], object]
) -> list[Json]:
    """Returns, after a lost answer, the items that were not there `before` (keys).

    Raises BadAnswer if an item makes no sense that was not there `before`, or if nothing of what was there is there
    now: such a list is no proof that the write did not happen.
    """
    odd = [item for item in items if not _makes_sense(item, parse)]
    if not all(isinstance(item, dict) and "id" in item and key_of(item) in before for item in odd):
        raise BadAnswer(gettext_noop("an item has an unexpected shape"))
    keys = {key_of(item) for item in items}
    if before and not keys & set(before):
        raise BadAnswer(gettext_noop("the list came without anything that was in it before"))
    return [item for item in items if key_of(item) not in before]


def adopt(chunk: Sequence[Entry[T]], fresh: Sequence[Json]) -> dict[int, Json | None]:
    """Returns, after a lost answer, the items that were not there before and are posted ones, by index in the chunk.

    By name among those of the same type; several that may be spellings of each other by the order of their making,
    if they are as many. None for a posted one that may be among other items that are new as well: nobody can tell.
    """
    adopted: dict[int, Json | None] = {}
    for kind in dict.fromkeys(entry.body.get("type") for entry in chunk):
        mine = [index for index, entry in enumerate(chunk) if entry.body.get("type") == kind]
        items = [item for item in fresh if kind in (None, item.get("type"))]
        items.sort(key=_by_making)
        names, answered = [chunk[index].body["name"] for index in mine], [_name(item) for item in items]
        pairs = pair_spellings(names, answered)
        others = len(items) > len(pairs)
        for at, index in enumerate(mine):
            if at in pairs:
                adopted[index] = items[pairs[at]]
            elif others:
                adopted[index] = None
    return adopted


def answered_fields(answer: Json, parse: Callable[[Json], CustomField]) -> dict[int, CustomField]:
    """Returns the fields that the answer to a PATCH shows, by id; what makes no sense is left to the re-reading."""
    embedded = answer.get("_embedded")
    items = items_of(embedded.get("custom_fields")) if isinstance(embedded, dict) else None
    return {item.id: item for item in readable(items or (), parse)}


def readable(items: Iterable[Json], parse: Callable[[Json], T]) -> list[T]:
    """Parses the items that make sense."""
    return [parse(item) for item in items if _makes_sense(item, parse)]


def new_options(
    posted: Sequence[Json], options: Sequence[Enum], before: Collection[int], *, certain: bool = True
) -> dict[int, int]:
    """Returns index of an option in `posted` (those without an id count) -> its new id, from the field's `options` now.

    `before`: the ids of the options that the field had. What cannot be told apart is missing. Not `certain` that all
    new ones are ours (the answer was lost): then none pairs by its place alone.
    """
    waiting = [at for at, option in enumerate(posted) if "id" not in option]
    fresh = [enum for enum in options if enum.id not in before]
    pairs = pair_names([posted[at]["value"] for at in waiting], [enum.value or "" for enum in fresh])
    if certain:
        pairs = pair_rest(pairs, len(waiting), len(fresh))
    return {waiting[at]: fresh[other].id for at, other in pairs.items()}


def option_keys(
    ours: CustomField, body: Json, field: CustomField, before: Collection[int], known: Mapping[Ref, str],
    *, certain: bool = True,
) -> dict[Ref, str]:  # fmt: skip
    """Returns the keys of the options of `ours`, not `known` yet, that came with `body`, from the `field` as it is now.

    What cannot be told apart is looked for by name at the re-reading. `before` and `certain` as for `new_options`.
    """
    posted = body.get("enums", [])
    refs = {Ref(Kind.ENUM, enum_key(ours.entity, ours.id, enum.id)): enum.value for enum in ours.enums}
    unknown = {ref: value for ref, value in refs.items() if ref not in known}
    keys: dict[Ref, str] = {}
    for at, number in sorted(new_options(posted, field.enums, before, certain=certain).items()):
        ref = next((ref for ref, value in unknown.items() if value == posted[at]["value"]), None)
        if ref is not None:
            del unknown[ref]
            keys[ref] = enum_key(field.entity, field.id, number)
    return keys
