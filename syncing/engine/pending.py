"""Pending creations: what was sent to be made and not seen since; it is not sent again before it is seen to be gone.

Between the sending and the answer anything may die; and what was made then may read back under another name.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from syncing.engine.changes import Action, Change, Conflict
from syncing.engine.name_pairing import pair_names, pair_rest, pair_spellings
from syncing.engine.plan import Plan
from syncing.engine.refs import CHILD_KIND, Kind, Ref, field_key, parent_of
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import names_of

# A list of the account: the kind, and the key of what it is in (a pipeline, field or entity).
ListKey = tuple[Kind, str]
UNCERTAIN = (
    "It was sent before, but no answer said what became of it; it may be one of the items that are new since. "
    "Give the right one this name or delete it in Kommo, or run again with --force --reason to make it anyway."
)


@dataclass(frozen=True)
class Pending:
    """Items sent to be made in one list, and what was in it `before` (the account's keys)."""

    refs: frozenset[Ref]
    before: frozenset[str]


def creations_of(plan: Plan, existing: Snapshot, earlier: Mapping[ListKey, Pending]) -> dict[ListKey, Pending]:
    """What `plan` will send, list by list; what is pending in the same list since `earlier` stays so."""
    refs: dict[ListKey, set[Ref]] = {}
    for change in plan.changes:
        for ref in _new(plan, change):
            place = _place(plan, ref)
            if place is not None:
                refs.setdefault(place, set()).add(ref)
    there = names_of(existing)
    found = {}
    for place, mine in refs.items():
        old = earlier.get(place, Pending(frozenset(), frozenset(key for kind, key in there if kind is place[0])))
        found[place] = Pending(old.refs | mine, old.before)
    return found


def _new(plan: Plan, change: Change) -> Iterable[Ref]:
    if change.action is Action.CREATE:
        return [change.ref]
    if change.action is Action.UPDATE and "enums" in change.fields:
        options = plan.desired.items[change.ref].attributes.get("enums", ())
        return [option for option in options if option not in plan.match.keys]
    return []


def _place(plan: Plan, ref: Ref) -> ListKey | None:
    """None for what comes inside something new."""
    parent = parent_of(ref)
    if parent is not None:
        key = plan.match.keys.get(parent)
        return None if key is None else (ref.kind, key)
    return ref.kind, "" if ref.kind is Kind.PIPELINE else ref.key.partition("/")[0]


def still_pending(
    pending: Mapping[ListKey, Pending], known: Mapping[Ref, str], doubtful: Iterable[Ref]
) -> dict[ListKey, Pending | None]:
    """What is left of `pending`: the `doubtful` that no id is known of; None for a list without any."""
    left = set(doubtful) - known.keys()
    return {
        place: Pending(each.refs & left, each.before) if each.refs & left else None for place, each in pending.items()
    }


@dataclass(frozen=True)
class Resolution:
    """`found`: what is there after all; `uncertain`: what may or may not be among the new items of its list."""

    found: Mapping[Ref, str]
    uncertain: tuple[Conflict, ...]


def resolve_pending(
    desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str], pending: Mapping[ListKey, Pending]
) -> Resolution:
    """Look for what is pending among what is new in its list and nobody's yet; the rest is gone."""
    ours, theirs = names_of(desired), names_of(existing)
    types = {(Kind.CUSTOM_FIELD, field_key(f.entity, f.id)): f.type for f in desired.fields or ()}
    their_types = {(Kind.CUSTOM_FIELD, field_key(f.entity, f.id)): f.type for f in existing.fields or ()}
    taken = {(ref.kind, key) for ref, key in known.items()}
    found: dict[Ref, str] = {}
    uncertain: list[Conflict] = []
    for (kind, parent), each in pending.items():
        inside = f"{parent}/" if parent else ""
        waiting = [ref for ref in sorted(each.refs) if ref not in known and (kind, ref.key) in ours]
        fresh = [
            item for item in theirs
            if item[0] is kind and item[1].startswith(inside) and item[1] not in each.before and item not in taken
        ]  # fmt: skip
        for type_ in dict.fromkeys(types.get((kind, ref.key), "") for ref in waiting):
            mine = [ref for ref in waiting if types.get((kind, ref.key), "") == type_]
            others = [item for item in fresh if their_types.get(item, "") == type_]
            names, shown = [ours[kind, ref.key] for ref in mine], [theirs[item] for item in others]
            pairs = pair_spellings(names, shown)
            for at, ref in enumerate(mine):
                if at in pairs:
                    found[ref] = others[pairs[at]][1]
                elif len(others) > len(pairs):
                    uncertain.append(Conflict(ref, ours[kind, ref.key], _parent(ref, ours), UNCERTAIN))
    for ref, key in dict(found).items():
        found |= _inside(ref, key, ours, theirs)
    return Resolution(found, tuple(uncertain))


def _parent(ref: Ref, names: Mapping[ListKey, str]) -> str:
    parent = parent_of(ref)
    if parent is not None:
        return names.get((parent.kind, parent.key), "")
    return "" if ref.kind is Kind.PIPELINE else ref.key.partition("/")[0]


def _inside(ref: Ref, key: str, ours: Mapping[ListKey, str], theirs: Mapping[ListKey, str]) -> dict[Ref, str]:
    """What came with an item that was made whole."""
    kind = CHILD_KIND.get(ref.kind)
    if kind is None:
        return {}
    wanted, there = list(_ordinary(kind, ref.key, ours)), list(_ordinary(kind, key, theirs))
    pairs = pair_names([name for _, name in wanted], [name for _, name in there])
    whole = pair_rest(pairs, len(wanted), len(there))
    return {Ref(kind, wanted[at][0]): there[other][0] for at, other in whole.items()}


def _ordinary(kind: Kind, parent: str, names: Mapping[ListKey, str]) -> Iterator[tuple[str, str]]:
    for (each, key), name in names.items():
        if each is kind and key.startswith(f"{parent}/") and key.rpartition("/")[2] not in ("142", "143"):
            yield key, name
