"""Pending creations: items sent to be made and not seen since; they are not sent again before they are surely gone.

Between the sending and the answer anything may die; and what was made then may read back under another name.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from syncing.engine.changes import Action, Conflict
from syncing.engine.name_pairing import pair_names, pair_rest, pair_spellings
from syncing.engine.plan import Plan
from syncing.engine.refs import CHILD_KIND, Kind, Ref, field_key, local_id, parent_of
from syncing.engine.resources.stages import LOST, WON
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import names_of

# A list of the account: the kind, and the key of what it is in (a pipeline, field or entity).
ListKey = tuple[Kind, str]
SAME_EVERYWHERE = (str(WON), str(LOST))
UNCERTAIN = gettext_noop(
    "KommoSync sent this item before and got no answer, so it may be one of the items that are new since then. "
    "Give that item this name or delete it in Kommo, or run again with --force --reason to create it anyway."
)


@dataclass(frozen=True)
class Pending:
    """Items sent to be made in one list, and what was in it `before` (the account's keys)."""

    refs: frozenset[Ref]
    before: frozenset[str]


def creations_of(plan: Plan, existing: Snapshot, earlier: Mapping[ListKey, Pending]) -> dict[ListKey, Pending]:
    """Returns what `plan` will send, list by list; what is pending in the same list since `earlier` stays so."""
    refs: dict[ListKey, set[Ref]] = defaultdict(set)
    for change in plan.changes:
        new: Iterable[Ref] = [change.ref] if change.action is Action.CREATE else ()
        if change.action is Action.UPDATE and "enums" in change.fields:
            options = plan.desired.items[change.ref].attributes.get("enums", ())
            new = [option for option in options if option not in plan.match.keys]
        for ref in new:
            parent = parent_of(ref)
            entity = "" if ref.kind is Kind.PIPELINE else ref.key.partition("/")[0]
            key = plan.match.keys.get(parent) if parent else entity
            if key is not None:  # else it comes inside something new
                refs[ref.kind, key].add(ref)
    there = names_of(existing)
    pending = {}
    for place, mine in refs.items():
        old = earlier.get(place, Pending(frozenset(), frozenset(key for kind, key in there if kind is place[0])))
        pending[place] = Pending(old.refs | mine, old.before)
    return pending


def still_pending(
    pending: Mapping[ListKey, Pending], known: Mapping[Ref, str], doubtful: Iterable[Ref]
) -> dict[ListKey, Pending | None]:
    """Returns what is left of `pending`: the `doubtful` that no id is known of; None for a list without any."""
    left = set(doubtful) - known.keys()
    return {key: Pending(each.refs & left, each.before) if each.refs & left else None for key, each in pending.items()}


@dataclass(frozen=True)
class Resolution:
    """`keys`: what is there after all; `uncertain`: what may or may not be among the new items of its list."""

    keys: Mapping[Ref, str]
    uncertain: tuple[Conflict, ...]


def resolve_pending(
    desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str], pending: Mapping[ListKey, Pending]
) -> Resolution:
    """Looks for what is pending among what is new in its list and nobody's yet; the rest is gone."""
    ours, theirs = names_of(desired), names_of(existing)
    our_types, their_types = _field_types(desired), _field_types(existing)
    taken = {(ref.kind, key) for ref, key in known.items()}
    keys: dict[Ref, str] = {}
    uncertain: list[Conflict] = []
    for (kind, parent_key), each in pending.items():
        inside = f"{parent_key}/" if parent_key else ""
        waiting = [ref for ref in sorted(each.refs) if ref not in known and (kind, ref.key) in ours]
        fresh = [
            item for item in theirs
            if item[0] is kind and item[1].startswith(inside) and item[1] not in each.before and item not in taken
        ]  # fmt: skip
        for type_ in dict.fromkeys(our_types.get((kind, ref.key), "") for ref in waiting):
            mine = [ref for ref in waiting if our_types.get((kind, ref.key), "") == type_]
            others = [item for item in fresh if their_types.get(item, "") == type_]
            pairs = pair_spellings([ours[kind, ref.key] for ref in mine], [theirs[item] for item in others])
            for at, ref in enumerate(mine):
                if at in pairs:
                    keys[ref] = others[pairs[at]][1]
                elif len(others) > len(pairs):
                    parent = parent_of(ref)
                    parent_name = ours.get((parent.kind, parent.key), "") if parent else parent_key
                    uncertain.append(Conflict(ref, ours[kind, ref.key], parent_name, UNCERTAIN))
    for ref, key in dict(keys).items():
        keys |= _children_by_name(ref, key, ours, theirs)
    return Resolution(keys, tuple(uncertain))


def _field_types(snapshot: Snapshot) -> dict[tuple[Kind, str], str]:
    return {(Kind.CUSTOM_FIELD, field_key(item.entity, item.id)): item.type for item in snapshot.fields or ()}


def _children_by_name(ref: Ref, key: str, ours: Mapping[ListKey, str], theirs: Mapping[ListKey, str]) -> dict[Ref, str]:
    """Returns what came with an item that was made whole."""
    kind = CHILD_KIND.get(ref.kind)
    if kind is None:
        return {}
    wanted, there = (
        [
            (own, name)
            for (each, own), name in names.items()
            if each is kind and own.startswith(f"{parent}/") and local_id(own) not in SAME_EVERYWHERE
        ]
        for names, parent in ((ours, ref.key), (theirs, key))
    )
    pairs = pair_names([name for _, name in wanted], [name for _, name in there])
    whole = pair_rest(pairs, len(wanted), len(there))
    return {Ref(kind, wanted[at][0]): there[other][0] for at, other in whole.items()}
