"""Candidates: the items of one list as the matching sees them, with those that are held back."""

import unicodedata
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from syncing.engine.held_items import HeldItem
from syncing.engine.refs import Kind, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField, Enum
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline, display_order
from syncing.engine.resources.stages import DEFAULT_SYSTEM_NAMES, Stage, palette_color
from syncing.engine.snapshot import Snapshot


def normal_name(name: str) -> str:
    """Returns the same for names that differ only in case, white space or Unicode form; nothing else is the same."""
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


NaturalKey = tuple[Any, ...]  # its sort ("system", "id", "code", "name" or "value"), and what it consists of


@dataclass(frozen=True)
class Candidate:
    """One item of either side. `key` is its account's own key; `natural` are its natural keys, names as they are.

    `tie` breaks a tie between namesakes (a field's group); `type` of two items that are the same must be equal.
    """

    key: str
    name: str
    parent: str
    natural: tuple[NaturalKey, ...]
    tie: Hashable = None
    type: str = ""
    item: Pipeline | Stage | FieldGroup | CustomField | Enum | HeldItem | None = None

    @property
    def held(self) -> HeldItem | None:
        return self.item if isinstance(self.item, HeldItem) else None

    @property
    def is_unnamed(self) -> bool:
        return isinstance(self.item, HeldItem) and self.item.name is None


def pipelines_of(snapshot: Snapshot) -> list[Candidate]:
    """Gives an archived pipeline no natural key: it is matched by its id, as the API cannot archive or restore."""
    pipelines = [
        Candidate(
            key=pipeline_key(pipeline.id),
            name=pipeline.name,
            parent="",
            natural=() if pipeline.is_archive else (("name", pipeline.name),),
            item=pipeline,
        )
        for pipeline in sorted(snapshot.pipelines, key=display_order)
    ]
    return pipelines + _held(snapshot, Kind.PIPELINE, "")


def stages_of(pipeline: Pipeline, snapshot: Snapshot) -> list[Candidate]:
    stages = [
        Candidate(
            key=stage_key(pipeline.id, stage.id),
            name=stage.name,
            parent=pipeline.name,
            natural=(("system", stage.natural_id),) if stage.natural_id else (("name", stage.name),),
            type="system" if stage.natural_id else "",
            item=stage,
        )
        for stage in sorted(pipeline.stages, key=lambda stage: (stage.sort, stage.id))
    ]
    return stages + _held(snapshot, Kind.STAGE, pipeline_key(pipeline.id))


def groups_of(snapshot: Snapshot, entity: str) -> list[Candidate]:
    groups = [
        Candidate(
            key=group_key(entity, group.id),
            name=group.name,
            parent=entity,
            natural=(("id", group.id),) if group.is_predefined else (("name", group.name),),
            item=group,
        )
        for group in sorted(snapshot.groups or (), key=lambda group: (group.sort, group.id))
        if group.entity == entity
    ]
    return groups + _held(snapshot, Kind.FIELD_GROUP, entity)


def fields_of(snapshot: Snapshot, entity: str, group_of: Callable[[CustomField], Hashable]) -> list[Candidate]:
    mine = [item for item in snapshot.fields or () if item.entity == entity]
    fields = [
        Candidate(
            key=field_key(entity, item.id),
            name=item.name,
            parent=entity,
            natural=(*((("code", item.code),) if item.code else ()), ("name", item.name, item.is_predefined)),
            tie=group_of(item),
            type=item.type,
            item=item,
        )
        for item in sorted(mine, key=lambda item: (item.sort, item.id))
    ]
    return fields + _held(snapshot, Kind.CUSTOM_FIELD, entity)


def options_of(field: CustomField, field_name: str) -> list[Candidate]:
    """Gives an option whose value is not known no natural key: it is matched by its id alone."""
    positions = {enum.id: position for position, enum in enumerate(field.enums)}
    options = []
    for enum in sorted(field.enums, key=lambda enum: (enum.sort, positions[enum.id])):
        natural: tuple[NaturalKey, ...] = () if enum.value is None else (("value", enum.value),)
        if natural and enum.code:
            natural = (("code", enum.code), *natural)
        key = enum_key(field.entity, field.id, enum.id)
        options.append(Candidate(key=key, name=enum.value or "", parent=field_name, natural=natural, item=enum))
    return options


# -- what is held back --


def signs_of_pipeline(stages: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of its stages: they may tell a pipeline whose name is not known from another."""
    return tuple(sorted({normal_name(name) for name in stages} - DEFAULT_SYSTEM_NAMES))


def signs_of_stage(color: str) -> tuple[str, ...]:
    return (palette_color(color),)


def could_be(odd: Candidate, other: Candidate) -> bool:
    """Returns True if nothing that is known of an item without a name tells it from the other."""
    if odd.held is not None and odd.held.type not in (None, other.type):
        return False
    signs, others = _signs(odd), _signs(other)
    return not signs or not others or not signs.isdisjoint(others)


def _signs(candidate: Candidate) -> set[str]:
    item = candidate.item
    if isinstance(item, HeldItem):
        return set(item.signs)
    if isinstance(item, Pipeline):
        return set(signs_of_pipeline(stage.name for stage in item.stages if not stage.is_system))
    return set(signs_of_stage(item.color)) if isinstance(item, Stage) else set()


def _held(snapshot: Snapshot, kind: Kind, within: str) -> list[Candidate]:
    """Returns what is held back of one list; its natural keys are those of its kind, as far as they are known."""
    candidates = []
    for at, item in enumerate(snapshot.held):
        if item.kind is kind and item.within == within:
            natural: tuple[NaturalKey, ...] = (item.natural,) if item.natural else ()
            if kind is Kind.CUSTOM_FIELD and item.name is not None:
                natural = (*natural, ("name", item.name, item.is_predefined))
            elif not natural and item.name is not None:
                natural = (("name", item.name),)
            key, type_ = item.key or f"{within}/?{at}", item.type or ""
            candidates.append(Candidate(key, item.label, item.parent, natural, type=type_, item=item))
    return candidates
