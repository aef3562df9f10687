"""Delta: which lists of an account a change of the master touches, and when a plan without the other lists is in doubt.

A plan of a delta is made over lists that were read and lists that are assumed (`engine.assumed`). Nothing that is
assumed is ever written: a plan that would change an item outside the lists read is a doubt.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from syncing.engine.changes import Action
from syncing.engine.normalise import normalise, own_names
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref, Scope, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import ENTITIES
from syncing.engine.resources.stages import Stage
from syncing.engine.snapshot import Snapshot

ListName = tuple[Kind, str]  # what a reading returns at once: the kind, and of groups and fields their entity
PIPELINES: ListName = (Kind.PIPELINE, "")  # with their stages
OF_FIELDS = (Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM)


@dataclass(frozen=True)
class PartRead:
    """The part of an account that is read. `described`: the pipelines whose stages' descriptions are read, by key."""

    lists: frozenset[ListName]
    described: frozenset[str] = frozenset()


def list_of(ref: Ref) -> ListName:
    """Returns the list that an item is read with."""
    if ref.kind not in OF_FIELDS:
        return PIPELINES
    entity = ref.key.partition("/")[0]
    return (Kind.FIELD_GROUP if ref.kind is Kind.FIELD_GROUP else Kind.CUSTOM_FIELD), entity


def lists_of(scope: Scope) -> frozenset[ListName]:
    """Returns all lists that a run of this scope reads."""
    of_fields = {(kind, entity) for kind in (Kind.FIELD_GROUP, Kind.CUSTOM_FIELD) for entity in ENTITIES}
    return frozenset({PIPELINES} | (of_fields if scope.writes_fields else set()))


# -- what has changed --


def touched_part(before: Snapshot, after: Snapshot, scope: Scope) -> PartRead:
    """Returns what differs between two readings of the master, as far as plans look at it.

    So sort numbers and the members of groups count for nothing by themselves, only what people see of them. A run that
    writes no pipelines looks only at which stages there are.
    """
    stages = frozenset(_stage_refs(after))
    was, now = _by_list(before, stages, scope), _by_list(after, stages, scope)
    lists = frozenset(name for name in lists_of(scope) if was.get(name) != now.get(name))
    return PartRead(lists, _redescribed(before, after) if scope.writes_pipelines else frozenset())


def _stage_refs(snapshot: Snapshot) -> Iterable[Ref]:
    return (Ref(Kind.STAGE, stage_key(pipeline.id, stage.id)) for pipeline, stage in snapshot.stages())


def _by_list(snapshot: Snapshot, stages: Collection[Ref], scope: Scope) -> dict[ListName, dict[Any, Any]]:
    """Returns by list what plans compare: the attributes of the items, and their order."""
    facts: dict[ListName, dict[Any, Any]] = defaultdict(dict)
    normal = normalise(snapshot, own_names, stages)
    for ref, item in normal.items.items():
        is_looked_at = ref.kind in OF_FIELDS or scope.writes_pipelines
        values = {name: _in_order(value) for name, value in item.attributes.items()} if is_looked_at else {}
        facts[list_of(ref)][ref] = values, item.siblings
    for name, refs in normal.sequences.items():
        if refs[0].kind in OF_FIELDS or scope.writes_pipelines:
            facts[list_of(refs[0])][name] = refs
    return facts


def _in_order(value: object) -> object:
    """Returns options as a list, as their order counts."""
    return list(value.items()) if isinstance(value, Mapping) else value


def _redescribed(before: Snapshot, after: Snapshot) -> frozenset[str]:
    """Returns the pipelines with a stage whose descriptions are others than before, or new."""
    old = {(pipeline.id, stage.id): _texts(stage) for pipeline, stage in before.stages()}
    return frozenset(
        pipeline_key(pipeline.id)
        for pipeline, stage in after.stages()
        if not stage.is_system and stage.descriptions and old.get((pipeline.id, stage.id)) != _texts(stage)
    )


def _texts(stage: Stage) -> dict[str, str]:
    return {each.level: each.text for each in stage.descriptions or ()}


# -- doubts --


def doubt_about(plan: Plan, part: PartRead) -> str | None:
    """Returns why a plan that was made with assumptions must not be believed; None if it may be.

    It may say nothing of what was only assumed. And what is ambiguous is looked at whole.
    """
    if plan.conflicts:
        return f"{plan.conflicts[0].name!r} is in conflict"
    for change in plan.changes:
        if list_of(change.ref) not in part.lists:
            return f"{change.name!r} would be changed, which was not read"
        pipeline = change.ref.key.partition("/")[0]
        if change.ref.kind is Kind.STAGE and "descriptions" in change.fields and pipeline not in part.described:
            return f"the descriptions of {change.name!r} would be changed, which were not read"
    return None


def deletes(plan: Plan) -> int:
    """Counts the deletions of a plan."""
    return sum(change.action is Action.DELETE for change in plan.changes)
