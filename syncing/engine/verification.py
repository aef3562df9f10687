"""Verification: looks for written changes in the account as it is read again, and for what came with them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from syncing.engine.changes import Action, Change
from syncing.engine.name_pairing import pair_spellings
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref, enum_key, stage_key
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.snapshot import Resource, Snapshot, refs_in, resources_of


def not_visible(
    plan: Plan, changes: Iterable[Change], keys: Mapping[Ref, str], before: Snapshot, after: Snapshot
) -> set[Ref]:
    """Returns the items of answered changes that do not show in the account as read `after`; `keys`: the ids by now."""
    was, now = _without_insides(before), _without_insides(after)
    return {change.ref for change in changes if not _is_visible(plan, change, keys, was, now)}


def _is_visible(
    plan: Plan, change: Change, keys: Mapping[Ref, str], was: Mapping[Ref, Resource], now: Mapping[Ref, Resource]
) -> bool:
    """Returns True also where no id is known, so that nobody can tell."""
    kind, ref = change.ref.kind, change.ref
    if change.action is Action.DELETE:
        return Ref(kind, plan.slave_only[ref]) not in now
    writes_options = change.action is Action.CREATE or "enums" in change.fields
    options = plan.desired.items[ref].attributes.get("enums", ()) if writes_options else ()
    if any(option in keys and Ref(Kind.ENUM, keys[option]) not in now for option in options):
        return False
    if ref not in keys:
        return True
    item = Ref(kind, keys[ref])
    return item in now and (change.action is not Action.UPDATE or was.get(item) != now[item])


def _without_insides(snapshot: Snapshot) -> dict[Ref, Resource]:
    """Returns every item as it is by itself (an option is also part of its field)."""
    items: dict[Ref, Resource] = {}
    for ref, item in resources_of(snapshot).items():
        if isinstance(item, Pipeline):
            items[ref] = replace(item, stages=())
        elif isinstance(item, FieldGroup):
            items[ref] = replace(item, fields=())
        else:
            items[ref] = item
    return items


def keys_of_arrivals(
    plan: Plan, changes: Iterable[Change], keys: Mapping[Ref, str], before: Snapshot, after: Snapshot
) -> dict[Ref, str]:
    """Returns the keys of new stages and options that came with `changes` and that no answer named.

    By name and order, as in an answer; where there are more or fewer of them than were sent, only by name.
    """
    old = {*(ref.key for ref in refs_in(before)), *keys.values()}
    stages = [
        (Kind.STAGE, stage_key(pipeline.id, stage.id), stage.name)
        for pipeline, stage in after.stages()
        if not stage.is_system
    ]
    options = [
        (Kind.ENUM, enum_key(item.entity, item.id, enum.id), enum.value or "")
        for item in after.fields or ()
        for enum in sorted(item.enums, key=lambda enum: enum.sort)
    ]
    fresh = [item for item in (*stages, *options) if item[1] not in old]
    arrivals: dict[Ref, str] = {}
    for parent, kind, wanted in _sent_inside(plan, changes):
        if parent in keys:
            waiting = [(ref, name) for ref, name in wanted if ref not in keys]
            there = [(key, name) for each, key, name in fresh if each is kind and key.startswith(f"{keys[parent]}/")]
            pairs = pair_spellings([name for _, name in waiting], [name for _, name in there])
            arrivals |= {waiting[at][0]: there[other][0] for at, other in pairs.items()}
    return arrivals


def _sent_inside(plan: Plan, changes: Iterable[Change]) -> Iterator[tuple[Ref, Kind, list[tuple[Ref, str]]]]:
    """Yields a parent, a kind and, in their order, the items of that kind that were sent inside it."""
    stages: dict[Ref, list[tuple[Ref, str]]] = {}
    for change in changes:
        ref, item = change.ref, plan.desired.items.get(change.ref)
        if item is None:
            continue
        if ref.kind is Kind.STAGE and change.action is Action.CREATE:
            stages.setdefault(Ref(Kind.PIPELINE, ref.key.partition("/")[0]), []).append((ref, item.name))
        elif ref.kind is Kind.CUSTOM_FIELD and (change.action is Action.CREATE or "enums" in change.fields):
            yield ref, Kind.ENUM, list(item.attributes.get("enums", {}).items())
    for parent, wanted in stages.items():
        yield parent, Kind.STAGE, wanted
