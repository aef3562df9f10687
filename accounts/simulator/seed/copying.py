"""One account's configuration set up by hand in another: same things, other ids."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TypeVar

from accounts.simulator.account import SimAccount
from accounts.simulator.defaults import DEFAULT_COLORS
from accounts.simulator.model import (
    ENTITIES,
    MAIN_GROUP,
    PALETTE,
    STATISTIC_GROUP,
    SimEnum,
    SimField,
    SimPipeline,
    SimStage,
    StatusKey,
)

# The nearest colours of the palette for those of a default pipeline.
NEAREST = dict(zip(DEFAULT_COLORS, ("#98cbff", "#fffd7f", "#ffce5a", "#ffc8c8"), strict=True))
Statuses = dict[StatusKey, StatusKey]
Groups = dict[str, str]
T = TypeVar("T")


def copy_configuration(source: SimAccount, target: SimAccount, *, share: float = 1.0) -> None:
    """Adds the source's first `share` of each kind to the target, in the source's order; adopts predefined things.

    Into an account without a default pipeline, a whole copy leaves nothing for a sync to do.
    """
    statuses: Statuses = {}
    for pipeline in _first(share, [each for each in source.ordered_pipelines if not each.is_archive]):
        _copy_pipeline(pipeline, target, statuses)
    for entity in ENTITIES:
        groups = {MAIN_GROUP: MAIN_GROUP, STATISTIC_GROUP: STATISTIC_GROUP}
        ordered = sorted(source.groups[entity].values(), key=lambda each: (each.sort, each.id))
        own = [each for each in ordered if not each.is_predefined and each.type == "custom_field_group"]
        for group in _first(share, own):
            groups[group.id] = target.add_group(entity, group.name).id
        fields = sorted(source.fields[entity].values(), key=lambda each: (each.sort, each.id))
        chosen = _first(share, [each for each in fields if not each.is_predefined])
        if share == 1.0:
            chosen += [each for each in fields if each.is_predefined]
        for field in chosen:
            _copy_field(field, target, groups, statuses)


def _first(share: float, items: list[T]) -> list[T]:
    return items[: ceil(len(items) * share)]


def _copy_pipeline(pipeline: SimPipeline, target: SimAccount, statuses: Statuses) -> None:
    """Copies a pipeline with its stages, and notes in `statuses` what became of each."""
    sort = 1 + max((each.sort for each in target.pipelines.values()), default=0)
    copy = target.add_pipeline(pipeline.name, sort=sort, is_unsorted_on=pipeline.is_unsorted_on)
    for stage in pipeline.ordinary:
        color = NEAREST.get(stage.color, stage.color).lower()
        twin = target.add_stage(copy, stage.name, color=color if color in PALETTE else PALETTE[0])
        for level, description in stage.descriptions.items():
            target.describe(twin, level, description.description)
        statuses[pipeline.id, stage.id] = (copy.id, twin.id)
    for stage in [each for each in pipeline.stages if each.is_system]:
        twin = next(each for each in copy.stages if each.is_system and _role(each) == _role(stage))
        twin.name = stage.name
        statuses[pipeline.id, stage.id] = (copy.id, twin.id)
    if pipeline.is_main:
        target.set_main(copy)


def _role(stage: SimStage) -> int:
    """Returns the same number for system stages that do the same.

    The incoming stage has an id of its own in each pipeline, 142 and 143 have not.
    """
    return 0 if stage.type else stage.id


def _copy_field(field: SimField, target: SimAccount, groups: Groups, statuses: Statuses) -> None:
    """Copies a field, or adopts the predefined one of the same code where the target has it."""
    fields = target.fields[field.entity]
    if field.is_predefined:
        twin = next((each for each in fields.values() if each.is_predefined and each.code == field.code), None)
        if twin is None:
            return
        twin.sort, twin.is_api_only = field.sort, field.is_api_only
    else:
        number = target.next_id()
        enums = [SimEnum(target.next_id(), each.value, each.sort, each.code) for each in field.ordered_enums]
        twin = fields[number] = replace(field, id=number, enums=enums)
    twin.group_id = groups.get(field.group_id, MAIN_GROUP)
    twin.required_statuses = [statuses[key] for key in field.required_statuses if key in statuses]
    twin.hidden_statuses = [statuses[key] for key in field.hidden_statuses if key in statuses]
