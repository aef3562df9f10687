"""Candidates: the items of one list as the matching sees them, what is held back among them."""

import unicodedata
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from syncing.engine.held_items import HeldItem
from syncing.engine.refs import Kind, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField, Enum
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline, display_order
from syncing.engine.resources.stages import DEFAULT_SYSTEM_NAMES, Stage, palette_color
from syncing.engine.snapshot import Snapshot


def normal_name(name: str) -> str:
    """Names that differ only in case, white space or Unicode form are the same; nothing else is (no likeness)."""
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


@dataclass(frozen=True)
class Candidate:
    """One item of either side. `key` is its account's own key; `natural` are its natural keys, names as they are.

    `tie` breaks a tie between namesakes (a field's group); `type` of two items that are the same must be equal.
    """

    key: str
    name: str
    parent: str
    natural: tuple[Hashable, ...]
    tie: Hashable = None
    type: str = ""
    item: Pipeline | Stage | FieldGroup | CustomField | Enum | HeldItem | None = None

    @property
    def held(self) -> HeldItem | None:
        return self.item if isinstance(self.item, HeldItem) else None


def pipelines_of(snapshot: Snapshot) -> list[Candidate]:
    """An archived pipeline is matched by its id alone: the API can neither archive nor restore."""
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
            natural=_field_naturals(item),
            tie=group_of(item),
            type=item.type,
            item=item,
        )
        for item in sorted(mine, key=lambda item: (item.sort, item.id))
    ]
    return fields + _held(snapshot, Kind.CUSTOM_FIELD, entity)


def _field_naturals(item: CustomField) -> tuple[Hashable, ...]:
    """The code is the identity where there is one on both sides; a name never joins two different codes."""
    name = ("name", item.name, item.is_predefined)
    return (("code", item.code), name) if item.code else (name,)


def options_of(field: CustomField, field_name: str) -> list[Candidate]:
    positions = {enum.id: position for position, enum in enumerate(field.enums)}
    return [
        Candidate(
            key=enum_key(field.entity, field.id, enum.id),
            name=enum.value or "",
            parent=field_name,
            natural=_option_naturals(enum),
            item=enum,
        )
        for enum in sorted(field.enums, key=lambda enum: (enum.sort, positions[enum.id]))
    ]


def _option_naturals(enum: Enum) -> tuple[Hashable, ...]:
    """One whose value is not known is known by its id alone."""
    if enum.value is None:
        return ()
    return (("code", enum.code), ("value", enum.value)) if enum.code else (("value", enum.value),)


# -- what is held back --


def signs_of_pipeline(stages: Iterable[str]) -> tuple[str, ...]:
    """What may tell a pipeline whose name is not known from another: the names of its stages."""
    return tuple(sorted({normal_name(name) for name in stages} - DEFAULT_SYSTEM_NAMES))


def signs_of_stage(color: str) -> tuple[str, ...]:
    return (palette_color(color),)


def could_be(odd: Candidate, other: Candidate) -> bool:
    """Whether an item whose name is not known may be this one: nothing that is known of both tells them apart."""
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
    return [
        Candidate(
            key=item.key or f"{within}/?{at}",
            name=item.label,
            parent=item.parent,
            natural=_held_naturals(item),
            type=item.type or "",
            item=item,
        )
        for at, item in enumerate(snapshot.held)
        if item.kind is kind and item.within == within
    ]


def _held_naturals(item: HeldItem) -> tuple[Hashable, ...]:
    """As those of its kind, as far as they are known."""
    strong = (item.natural,) if item.natural else ()
    if item.kind is Kind.CUSTOM_FIELD and item.name is not None:
        return (*strong, ("name", item.name, item.is_predefined))
    return strong or (() if item.name is None else (("name", item.name),))


# -- names --


def exact(candidate: Candidate) -> Hashable:
    """The natural key by name, as it is; None for what is matched by id or code only."""
    return next((n for n in candidate.natural if isinstance(n, tuple) and n[0] in ("name", "value")), None)


def folded(candidate: Candidate) -> Hashable:
    name = exact(candidate)
    return (name[0], normal_name(name[1]), *name[2:]) if isinstance(name, tuple) else None


def typed(key: Callable[[Candidate], Hashable]) -> Callable[[Candidate], Hashable]:
    """The key together with the type, where there is one."""

    def with_type(candidate: Candidate) -> Hashable:
        name = key(candidate)
        return None if name is None else (name, candidate.type)

    return with_type


def code_of(candidate: Candidate) -> Hashable:
    return next((n for n in candidate.natural if isinstance(n, tuple) and n[0] == "code"), None)
