"""Arrivals: what of written changes shows in the account when it is read again, and what came with them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from syncing.engine.changes import Action, Change
from syncing.engine.name_pairing import is_spelling, pair_names, pair_rest
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import ItemKey


def not_visible(
    plan: Plan, changes: Iterable[Change], keys: Mapping[Ref, str], before: Snapshot, after: Snapshot
) -> set[Ref]:
    """The items whose answered changes the account as read `after` shows nothing of; `keys`: the ids known by now."""
    was, now = _things(before), _things(after)
    return {change.ref for change in changes if _is_hidden(plan, change, keys, was, now)}


def _is_hidden(
    plan: Plan, change: Change, keys: Mapping[Ref, str], was: Mapping[ItemKey, Any], now: Mapping[ItemKey, Any]
) -> bool:
    kind, ref = change.ref.kind, change.ref
    if change.action is Action.DELETE:
        return (kind, plan.slave_only[ref]) in now
    options = plan.desired.items[ref].attributes.get("enums", ()) if change.action is Action.CREATE or (
        "enums" in change.fields
    ) else ()  # fmt: skip
    if any(option in keys and (Kind.ENUM, keys[option]) not in now for option in options):
        return True
    if ref not in keys:
        return False
    own = kind, keys[ref]
    return own not in now or (change.action is Action.UPDATE and was.get(own) == now[own])


def _things(snapshot: Snapshot) -> dict[ItemKey, Any]:
    """Every item with what it is itself, without what is inside it (an option is also part of its field)."""
    found: dict[ItemKey, Any] = {}
    for pipeline in snapshot.pipelines:
        found[Kind.PIPELINE, pipeline_key(pipeline.id)] = replace(pipeline, stages=())
        for stage in pipeline.stages:
            found[Kind.STAGE, stage_key(pipeline.id, stage.id)] = stage
    for group in snapshot.groups or ():
        found[Kind.FIELD_GROUP, group_key(group.entity, group.id)] = replace(group, fields=())
    for item in snapshot.fields or ():
        found[Kind.CUSTOM_FIELD, field_key(item.entity, item.id)] = item
        for enum in item.enums:
            found[Kind.ENUM, enum_key(item.entity, item.id, enum.id)] = enum
    return found


def keys_of_arrivals(
    plan: Plan, changes: Iterable[Change], keys: Mapping[Ref, str], before: Snapshot, after: Snapshot
) -> dict[Ref, str]:
    """The keys of stages and options that came with `changes` and that no answer told: those that are new.

    By name and order, as in an answer; where there are more or fewer of them than were sent, only by name.
    """
    known, were = set(keys.values()), set(_things(before))
    fresh = [(key, name) for key, name in _inner(after) if key not in were and key[1] not in known]
    found: dict[Ref, str] = {}
    for parent, kind, wanted in _sent_inside(plan, changes):
        if parent not in keys:
            continue
        waiting = [(ref, name) for ref, name in wanted if ref not in keys]
        inside = f"{keys[parent]}/"
        there = [(key[1], name) for key, name in fresh if key[0] is kind and key[1].startswith(inside)]
        names, shown = [name for _, name in waiting], [name for _, name in there]
        pairs = pair_names(names, shown)
        whole = pair_rest(pairs, len(names), len(shown))
        if all(is_spelling(names[at], shown[other]) for at, other in whole.items() if at not in pairs):
            pairs = whole  # else a person may have made one of them, and ours was refused
        for at, other in pairs.items():
            found[waiting[at][0]] = there[other][0]
    return found


def _sent_inside(plan: Plan, changes: Iterable[Change]) -> Iterator[tuple[Ref, Kind, list[tuple[Ref, str]]]]:
    """Parent, kind and, in their order, the items that were sent inside it."""
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


def _inner(snapshot: Snapshot) -> Iterator[tuple[ItemKey, str]]:
    """The ordinary stages and the options, in their order."""
    for pipeline, stage in snapshot.stages():
        if not stage.is_system:
            yield (Kind.STAGE, stage_key(pipeline.id, stage.id)), stage.name
    for item in snapshot.fields or ():
        for enum in sorted(item.enums, key=lambda enum: enum.sort):
            yield (Kind.ENUM, enum_key(item.entity, item.id, enum.id)), enum.value or ""
