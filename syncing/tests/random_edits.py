"""Edits at random as people make them in Kommo's interface: beyond `seed.drift`, whole branches come and go."""

from collections.abc import Callable
from random import Random
from typing import Any

from accounts.simulator.account import SimAccount
from accounts.simulator.edits import add, change, remove
from accounts.simulator.model import ENTITIES, ENUM_TYPES, SimField, SimGroup, SimPipeline
from accounts.simulator.seed import drift

Edit = Callable[[SimAccount, Random, int], None]


def edit(account: SimAccount, rng: Random, number: int = 4) -> None:
    """So many edits; every other one is of `seed.drift`."""
    for _ in range(number):
        if rng.random() < 0.5:
            drift(account, rng.randrange(10**6), edits=1)
        else:
            rng.choice(EDITS)(account, rng, rng.randrange(10**6))


def _pipelines(account: SimAccount) -> list[SimPipeline]:
    return [each for each in account.ordered_pipelines if not each.is_archive]


def _fields(account: SimAccount, types: frozenset[str] = frozenset()) -> list[SimField]:
    every = [each for entity in ENTITIES for each in account.fields[entity].values() if not each.is_predefined]
    return [each for each in every if each.type in types] if types else every


def _groups(account: SimAccount) -> list[tuple[str, SimGroup]]:
    every = [(entity, group) for entity in ENTITIES for group in account.groups[entity].values()]
    return [pair for pair in every if not pair[1].is_predefined]


def _add_pipeline(account: SimAccount, rng: Random, number: int) -> None:
    stages = [f"Step {number + at}" for at in range(rng.randint(1, 4))]
    add(account, "pipeline", name=f"Pipeline {number}", stages=stages, is_unsorted_on=rng.random() < 0.5)


def _remove_pipeline(account: SimAccount, rng: Random, number: int) -> None:
    """As Kommo allows it: not the main one, none with leads."""
    busy = {lead.pipeline_id for lead in account.leads.values()}
    free = [each for each in _pipelines(account) if not each.is_main and each.id not in busy]
    if free:
        remove(account, "pipeline", rng.choice(free).id)


def _rename_pipeline(account: SimAccount, rng: Random, number: int) -> None:
    change(account, "pipeline", rng.choice(_pipelines(account)).id, name=f"Renamed pipeline {number}")


def _another_main(account: SimAccount, rng: Random, number: int) -> None:
    change(account, "pipeline", rng.choice(_pipelines(account)).id, is_main=True)


def _toggle_incoming(account: SimAccount, rng: Random, number: int) -> None:
    pipeline = rng.choice(_pipelines(account))
    if not any(account.is_unsorted(lead) for lead in account.leads.values() if lead.pipeline_id == pipeline.id):
        change(account, "pipeline", pipeline.id, is_unsorted_on=not pipeline.is_unsorted_on)


def _other_stages(account: SimAccount, rng: Random, number: int) -> None:
    """All stages of a pipeline give way to new ones."""
    pipeline = rng.choice(_pipelines(account))
    old = list(pipeline.ordinary)
    for at in range(rng.randint(1, 3)):
        add(account, "stage", pipeline_id=pipeline.id, name=f"New step {number + at}")
    for stage in old:
        remove(account, "stage", [pipeline.id, stage.id])


def _stage_made_again(account: SimAccount, rng: Random, number: int) -> None:
    """The same name under another id."""
    pipeline = rng.choice(_pipelines(account))
    if pipeline.ordinary:
        stage = rng.choice(pipeline.ordinary)
        add(account, "stage", pipeline_id=pipeline.id, name=stage.name)
        remove(account, "stage", [pipeline.id, stage.id])


def _add_group(account: SimAccount, rng: Random, number: int) -> None:
    entity = rng.choice(ENTITIES)
    group = add(account, "group", entity=entity, name=f"Group {number}")
    for at in range(rng.randint(0, 2)):
        add(account, "field", entity=entity, name=f"Member {number + at}", group=group)


def _remove_group(account: SimAccount, rng: Random, number: int) -> None:
    groups = _groups(account)
    if groups:
        entity, group = rng.choice(groups)
        remove(account, "group", [entity, group.id])


def _rename_group(account: SimAccount, rng: Random, number: int) -> None:
    groups = _groups(account)
    if groups:
        entity, group = rng.choice(groups)
        change(account, "group", [entity, group.id], name=f"Renamed group {number}")


def _add_select(account: SimAccount, rng: Random, number: int) -> None:
    options = [f"Choice {number + at}" for at in range(rng.randint(1, 4))]
    facts: dict[str, Any] = {"type": rng.choice(sorted(ENUM_TYPES)), "enums": options}
    add(account, "field", entity=rng.choice(ENTITIES), name=f"Select {number}", **facts)


def _remove_option(account: SimAccount, rng: Random, number: int) -> None:
    selects = [each for each in _fields(account, ENUM_TYPES) if len(each.enums) > 1]
    if selects:
        field = rng.choice(selects)
        remove(account, "enum", [field.id, rng.choice(field.enums).id])


def _rename_option(account: SimAccount, rng: Random, number: int) -> None:
    selects = _fields(account, ENUM_TYPES)
    if selects:
        field = rng.choice(selects)
        change(account, "enum", [field.id, rng.choice(field.enums).id], value=f"Renamed option {number}")


def _other_options(account: SimAccount, rng: Random, number: int) -> None:
    """All options of a field give way to new ones."""
    selects = _fields(account, ENUM_TYPES)
    if selects:
        field = rng.choice(selects)
        old = list(field.enums)
        for at in range(rng.randint(1, 3)):
            add(account, "enum", field_id=field.id, value=f"New option {number + at}")
        for enum in old:
            remove(account, "enum", [field.id, enum.id])


def _shuffle_options(account: SimAccount, rng: Random, number: int) -> None:
    selects = _fields(account, ENUM_TYPES)
    if selects:
        field = rng.choice(selects)
        sorts = list(range(1, len(field.enums) + 1))
        rng.shuffle(sorts)
        for enum, sort in zip(field.enums, sorts, strict=True):
            enum.sort = sort


def _require(account: SimAccount, rng: Random, number: int) -> None:
    fields, pipeline = _fields(account), rng.choice(_pipelines(account))
    if fields and pipeline.ordinary:
        status = (pipeline.id, rng.choice(pipeline.ordinary).id)
        field = rng.choice(fields)
        if status not in field.required_statuses:
            change(account, "field", field.id, required_statuses=[*field.required_statuses, status])


def _describe(account: SimAccount, rng: Random, number: int) -> None:
    pipeline = rng.choice(_pipelines(account))
    if pipeline.ordinary:
        facts = {"pipeline_id": pipeline.id, "stage_id": rng.choice(pipeline.ordinary).id}
        add(account, "description", level=rng.choice(("newbie", "master")), text=f"Text {number}", **facts)


EDITS: tuple[Edit, ...] = (
    _add_pipeline, _remove_pipeline, _rename_pipeline, _another_main, _toggle_incoming, _other_stages,
    _stage_made_again, _add_group, _remove_group, _rename_group, _add_select, _remove_option, _rename_option,
    _other_options, _shuffle_options, _require, _describe,
)  # fmt: skip
