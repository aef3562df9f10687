"""One account's configuration set up by hand in another: same things, other ids."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

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

# What a write of a default pipeline's colour can become at the nearest.
NEAREST = dict(zip(DEFAULT_COLORS, ("#98cbff", "#fffd7f", "#ffce5a", "#ffc8c8"), strict=True))
Statuses = dict[StatusKey, StatusKey]
Groups = dict[str, str]


def copy_configuration(source: SimAccount, target: SimAccount, *, share: float = 1.0) -> None:
    """Adds the source's first `share` of each kind to the target, in the source's order; adopts predefined things.

    Into an account without a default pipeline, a whole copy leaves nothing for a sync to do.
    """
    statuses: Statuses = {}
    pipelines = [each for each in source.ordered_pipelines if not each.is_archive]
    for pipeline in pipelines[: ceil(len(pipelines) * share)]:
        _copy_pipeline(pipeline, target, statuses)
    for entity in ENTITIES:
        groups = _copy_groups(source, target, entity, share)
        own = sorted(source.fields[entity].values(), key=lambda each: (each.sort, each.id))
        made = [each for each in own if not each.is_predefined]
        for field in made[: ceil(len(made) * share)]:
            _copy_field(field, target, groups, statuses)
        if share == 1.0:
            _adopt_predefined([each for each in own if each.is_predefined], target, groups, statuses)


def _copy_pipeline(pipeline: SimPipeline, target: SimAccount, statuses: Statuses) -> None:
    sort = 1 + max((each.sort for each in target.pipelines.values()), default=0)
    copy = target.add_pipeline(pipeline.name, sort=sort, is_unsorted_on=pipeline.is_unsorted_on)
    for stage in pipeline.ordinary:
        made = target.add_stage(copy, stage.name, color=_color(stage))
        for level, description in stage.descriptions.items():
            target.describe(made, level, description.description)
        statuses[pipeline.id, stage.id] = (copy.id, made.id)
    system = [stage for stage in pipeline.stages if stage.is_system]
    for stage in system:
        # The incoming stage has an id of its own in each pipeline, 142 and 143 have not.
        twin = next(each for each in copy.stages if each.is_system and _role(each) == _role(stage))
        twin.name = stage.name
        statuses[pipeline.id, stage.id] = (copy.id, twin.id)
    if pipeline.is_main:
        target.set_main(copy)


def _role(stage: SimStage) -> int:
    return 0 if stage.type else stage.id


def _color(stage: SimStage) -> str:
    color = NEAREST.get(stage.color, stage.color).lower()
    return color if color in PALETTE else PALETTE[0]


def _copy_groups(source: SimAccount, target: SimAccount, entity: str, share: float) -> Groups:
    own = sorted(source.groups[entity].values(), key=lambda each: (each.sort, each.id))
    made = [each for each in own if not each.is_predefined and each.type == "custom_field_group"]
    groups = {MAIN_GROUP: MAIN_GROUP, STATISTIC_GROUP: STATISTIC_GROUP}
    for group in made[: ceil(len(made) * share)]:
        groups[group.id] = target.add_group(entity, group.name).id
    return groups


def _copy_field(field: SimField, target: SimAccount, groups: Groups, statuses: Statuses) -> None:
    number = target.next_id()
    enums = [SimEnum(target.next_id(), each.value, each.sort, each.code) for each in field.ordered_enums]
    copy = replace(field, id=number, enums=enums)
    target.fields[field.entity][number] = copy
    _translate(field, copy, groups, statuses)


def _adopt_predefined(fields: list[SimField], target: SimAccount, groups: Groups, statuses: Statuses) -> None:
    for field in fields:
        twin = next(
            (each for each in target.fields[field.entity].values() if each.is_predefined and each.code == field.code),
            None,
        )
        if twin is not None:
            twin.sort, twin.is_api_only = field.sort, field.is_api_only
            _translate(field, twin, groups, statuses)


def _translate(field: SimField, copy: SimField, groups: Groups, statuses: Statuses) -> None:
    copy.group_id = groups.get(field.group_id, MAIN_GROUP)
    copy.required_statuses = [statuses[key] for key in field.required_statuses if key in statuses]
    copy.hidden_statuses = [statuses[key] for key in field.hidden_statuses if key in statuses]
