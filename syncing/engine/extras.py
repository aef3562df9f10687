"""Extras: what only the slave has; it is kept, and named so that nobody wonders."""

from collections.abc import Iterator

from syncing.engine.changes import Extra
from syncing.engine.match import Match
from syncing.engine.refs import Kind, Scope, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField
from syncing.engine.resources.field_groups import DEFAULT_GROUP
from syncing.engine.snapshot import Snapshot


def find_extras(existing: Snapshot, found: Match, scope: Scope) -> Iterator[Extra]:
    """The slave's items that no item of the master stands behind; system and predefined ones do not count."""
    if scope.writes_pipelines:
        yield from _pipelines(existing, found)
    if scope.writes_fields:
        yield from _groups(existing, found)
        yield from _fields(existing, found)


def _is_extra(found: Match, kind: Kind, key: str) -> bool:
    return (kind, key) not in found.names and (kind, key) not in found.contested


def _pipelines(existing: Snapshot, found: Match) -> Iterator[Extra]:
    for pipeline in existing.pipelines:
        if (Kind.PIPELINE, pipeline_key(pipeline.id)) not in found.names:
            if _is_extra(found, Kind.PIPELINE, pipeline_key(pipeline.id)):
                yield Extra(Kind.PIPELINE, pipeline.name, "")
            continue
        for stage in pipeline.stages:
            if not stage.is_system and _is_extra(found, Kind.STAGE, stage_key(pipeline.id, stage.id)):
                yield Extra(Kind.STAGE, stage.name, pipeline.name)


def _groups(existing: Snapshot, found: Match) -> Iterator[Extra]:
    for group in existing.groups or ():
        if not group.is_predefined and _is_extra(found, Kind.FIELD_GROUP, group_key(group.entity, group.id)):
            yield Extra(Kind.FIELD_GROUP, group.name, group.entity)


def _fields(existing: Snapshot, found: Match) -> Iterator[Extra]:
    names = {group_key(group.entity, group.id): group.name for group in existing.groups or ()}
    for item in existing.fields or ():
        if item.is_predefined:
            continue
        if (Kind.CUSTOM_FIELD, field_key(item.entity, item.id)) in found.names:
            yield from _enums(item, found)
        elif _is_extra(found, Kind.CUSTOM_FIELD, field_key(item.entity, item.id)):
            group = names.get(group_key(item.entity, item.group_id or DEFAULT_GROUP))
            yield Extra(Kind.CUSTOM_FIELD, item.name, f"{item.entity}/{group}" if group else item.entity)


def _enums(item: CustomField, found: Match) -> Iterator[Extra]:
    for enum in item.enums:
        if _is_extra(found, Kind.ENUM, enum_key(item.entity, item.id, enum.id)):
            yield Extra(Kind.ENUM, enum.value, item.name)
