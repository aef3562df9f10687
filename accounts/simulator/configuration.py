"""The configuration of one account: its things, how to find them, and raw edits as its users do them by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from accounts.simulator import defaults
from accounts.simulator.model import (
    DEFAULT_SORT,
    ENTITIES,
    INCOMING_TYPE,
    PALETTE,
    SimDescription,
    SimEnum,
    SimField,
    SimGroup,
    SimPipeline,
    SimStage,
    StatusKey,
)
from accounts.simulator.variants import Variants

StageSpec = str | tuple[str, str]
Named = TypeVar("Named", SimPipeline, SimGroup, SimField)


class Configuration:
    """Pipelines, groups and fields; every id that `next_id` gives belongs to them alone (except 142 and 143)."""

    def __init__(self, *, variants: Variants, clock: Callable[[], float], language: str, last_id: int) -> None:
        self.variants = variants
        self.clock = clock
        self.language = language
        self.last_id = last_id
        self.pipelines: dict[int, SimPipeline] = {}
        self.groups: dict[str, dict[str, SimGroup]] = {entity: {} for entity in ENTITIES}
        self.fields: dict[str, dict[int, SimField]] = {entity: {} for entity in ENTITIES}

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    # -- finding -----------------------------------------------------------------------------------------------
    @property
    def ordered_pipelines(self) -> list[SimPipeline]:
        main_first = self.variants.main_pipeline_first
        return sorted(self.pipelines.values(), key=lambda each: (main_first and not each.is_main, each.sort, each.id))

    def pipeline(self, key: int | str) -> SimPipeline:
        """Returns the pipeline of this id or (first) of this name; raises KeyError."""
        return _find(self.ordered_pipelines, key)

    def stage(self, pipeline: int | str, stage: int | str) -> SimStage:
        return self.pipeline(pipeline).stage(stage)

    def group(self, entity: str, key: str) -> SimGroup:
        """Returns the group of this id or (first) of this name; raises KeyError."""
        return _find(self.groups[entity].values(), key)

    def field(self, entity: str, key: int | str) -> SimField:
        """Returns the field of this id, code or (first) name; raises KeyError."""
        for field in self.fields[entity].values():
            if key in (field.id, field.code):
                return field
        return _find(self.fields[entity].values(), key)

    def members(self, entity: str, group_id: str) -> list[SimField]:
        """Returns the fields of one group in the order of the card."""
        inside = [each for each in self.fields[entity].values() if each.group_id == group_id]
        return sorted(inside, key=lambda each: (each.sort, each.id))

    def has_status(self, key: StatusKey) -> bool:
        pipeline = self.pipelines.get(key[0])
        return pipeline is not None and any(stage.id == key[1] for stage in pipeline.stages)

    # -- raw edits: what a user can do in the interface, without the rules of the API ---------------------------
    def add_pipeline(
        self,
        name: str,
        *,
        stages: Sequence[StageSpec] = (),
        sort: int | None = None,
        is_main: bool = False,
        is_unsorted_on: bool = True,
        is_archive: bool = False,
    ) -> SimPipeline:
        """Adds a pipeline with its system stages; a stage is a name or (name, colour)."""
        if sort is None:
            sort = 1 + max((each.sort for each in self.pipelines.values()), default=0)
        pipeline = SimPipeline(self.next_id(), name, sort, is_unsorted_on=is_unsorted_on, is_archive=is_archive)
        pipeline.stages = defaults.system_stages(self)
        self.pipelines[pipeline.id] = pipeline
        for spec in stages:
            stage_name, color = (spec, None) if isinstance(spec, str) else spec
            self.add_stage(pipeline, stage_name, color=color)
        if is_main or len(self.pipelines) == 1:
            self.set_main(pipeline)
        self.renumber_stages(pipeline)
        return pipeline

    def add_stage(
        self,
        pipeline: SimPipeline,
        name: str,
        *,
        color: str | None = None,
        sort: int | None = None,
        **descriptions: str,
    ) -> SimStage:
        """Adds a stage at its sort (else behind the last); further keywords are descriptions by level."""
        ordinary = pipeline.ordinary
        if sort is None:
            sort = max((each.sort for each in ordinary), default=defaults.INCOMING_SORT) + 10
        stage = SimStage(self.next_id(), name, sort, color or PALETTE[len(ordinary) % len(PALETTE)])
        for level, text in descriptions.items():
            self.describe(stage, level, text)
        pipeline.stages.append(stage)
        self.renumber_stages(pipeline)
        return stage

    def describe(self, stage: SimStage, level: str, text: str) -> None:
        """Writes or overwrites one level of a stage's descriptions."""
        now = int(self.clock())
        old = stage.descriptions.get(level)
        if old is None:
            stage.descriptions[level] = SimDescription(self.next_id(), level, text, now, now)
        else:
            old.description, old.updated_at = text, now

    def add_group(
        self, entity: str, name: str, *, sort: int | None = None, type: str = "custom_field_group"
    ) -> SimGroup:
        if sort is None:
            sort = 1 + max((each.sort for each in self.groups[entity].values()), default=0)
        group = SimGroup(f"{entity}_{10_000_000_000_000 + self.next_id()}", name, sort, type=type)
        self.groups[entity][group.id] = group
        return group

    def add_field(
        self, entity: str, name: str, type: str = "text", *, enums: Iterable[Any] = (), **facts: Any
    ) -> SimField:
        """Adds a field; an option is a value, or (value, code); `group` may be a SimGroup; other facts: SimField."""
        group = facts.pop("group", None)
        if group is not None:
            facts["group_id"] = group.id
        field = SimField(self.next_id(), entity, name, type, **facts)
        for enum in enums:
            value, code = (enum, None) if isinstance(enum, str) else enum
            self.add_enum(field, value, code=code)
        self.fields[entity][field.id] = field
        return field

    def add_enum(self, field: SimField, value: str, *, sort: int | None = None, code: str | None = None) -> SimEnum:
        enum = SimEnum(self.next_id(), value, DEFAULT_SORT + len(field.enums) if sort is None else sort, code)
        field.enums.append(enum)
        return enum

    def set_main(self, pipeline: SimPipeline) -> None:
        """Moves the main flag; the sort of the main pipeline is automatic (docs/kommo.md 4.1)."""
        for each in self.pipelines.values():
            each.is_main = each is pipeline
        self.renumber_main_pipeline()

    def renumber_main_pipeline(self) -> None:
        """Gives the main pipeline the first number, where the variant says so."""
        if self.variants.main_pipeline_first:
            for each in self.pipelines.values():
                each.sort = 1 if each.is_main else each.sort

    def renumber_stages(self, pipeline: SimPipeline) -> None:
        """Puts the stages into order and numbers the ordinary ones anew (docs/kommo.md 4.5)."""
        first = [stage for stage in pipeline.stages if stage.type == INCOMING_TYPE]
        last = [stage for stage in pipeline.stages if stage.is_system and stage.type != INCOMING_TYPE]
        ordinary = sorted(pipeline.ordinary, key=lambda stage: (stage.sort, stage.id))
        if self.variants.renumber:
            start = 20 if pipeline.is_unsorted_on else 10
            for at, stage in enumerate(ordinary):
                stage.sort = start + 10 * at
        pipeline.stages = first + ordinary + sorted(last, key=lambda stage: stage.id)

    def remove_statuses(self, is_gone: Callable[[StatusKey], bool]) -> None:
        """Takes the statuses that are gone out of the required and hidden ones of every field (assumed)."""
        for fields in self.fields.values():
            for field in fields.values():
                field.required_statuses = [key for key in field.required_statuses if not is_gone(key)]
                field.hidden_statuses = [key for key in field.hidden_statuses if not is_gone(key)]


def _find(things: Iterable[Named], key: int | str) -> Named:
    for thing in things:
        if key in (thing.id, thing.name):
            return thing
    raise KeyError(key)
