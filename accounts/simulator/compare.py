"""Compares two accounts without any id: what of one account's configuration is missing or different in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from accounts.simulator.account import SimAccount
from accounts.simulator.model import (
    ENTITIES,
    INCOMING_TYPE,
    LOST_ID,
    PALETTE,
    WON_ID,
    SimField,
    SimPipeline,
    SimStage,
    StatusKey,
)

T = TypeVar("T")
Name = tuple[str, int]


def differences(master: SimAccount, slave: SimAccount) -> list[str]:
    """Returns one sentence per difference; empty when the slave has all that the master has.

    Own things of the slave are fine. Compared: everything that the API can copy. Not compared: archived pipelines,
    names of system stages and of predefined groups and fields, chained lists, and colours that no write may set.
    """
    names = _status_names(master), _status_names(slave)
    result = _compare_pipelines(master, slave)
    for entity in ENTITIES:
        ours, theirs = _named_groups(master, entity), _named_groups(slave, entity)
        of_groups = [f"no group {name}" for name in ours if name not in theirs] + _order("groups", ours, theirs)
        of_fields = _compare_fields(master, slave, entity, names)
        result += [f"{entity}: {each}" for each in of_groups + of_fields]
    return result


def _compare_pipelines(master: SimAccount, slave: SimAccount) -> list[str]:
    ours = numbered([each for each in master.ordered_pipelines if not each.is_archive], lambda each: each.name)
    theirs = numbered(slave.ordered_pipelines, lambda each: each.name)
    result = _order("pipelines", ours, theirs)
    for name, pipeline in ours.items():
        other = theirs.get(name)
        if other is None:
            result.append(f"no pipeline {name}")
            continue
        for key in ("is_main", "is_unsorted_on"):
            result += _unequal(f"pipeline {name} {key}", getattr(pipeline, key), getattr(other, key))
        result += [f"pipeline {name}: {each}" for each in _compare_stages(pipeline, other)]
    return result


def _compare_stages(pipeline: SimPipeline, other: SimPipeline) -> list[str]:
    ours = numbered(pipeline.ordinary, lambda each: each.name)
    theirs = numbered(other.ordinary, lambda each: each.name)
    result = _order("stages", ours, theirs)
    for name, stage in ours.items():
        match = theirs.get(name)
        if match is None:
            result.append(f"no stage {name}")
            continue
        if stage.color.lower() in PALETTE:
            result += _unequal(f"stage {name} color", stage.color.lower(), match.color.lower())
        for level, description in stage.descriptions.items():
            theirs_of_level = match.descriptions.get(level)
            text = theirs_of_level.description if theirs_of_level else None
            result += _unequal(f"stage {name} {level}", description.description, text)
    return result


def _compare_fields(
    master: SimAccount, slave: SimAccount, entity: str, names: tuple[dict[StatusKey, Any], dict[StatusKey, Any]]
) -> list[str]:
    result: list[str] = []
    ours, theirs = _named_fields(master, entity), _named_fields(slave, entity)
    groups = _group_names(master, entity), _group_names(slave, entity)
    for name, field in ours.items():
        other = theirs.get(name)
        if other is None:
            result.append(f"no field {name}")
            continue
        for key in ("is_api_only", "remind", "currency", "tracking_callback"):
            result += _unequal(f"field {name} {key}", getattr(field, key), getattr(other, key))
        # The statistic group is Kommo's own.
        if field.type != "tracking_data":
            result += _unequal(f"field {name} group", groups[0][field.group_id], groups[1][other.group_id])
        for key in ("required_statuses", "hidden_statuses"):
            wanted = {names[0][status] for status in getattr(field, key)}
            actual = {names[1][status] for status in getattr(other, key)} & set(names[0].values())
            result += _unequal(f"field {name} {key}", wanted, actual)
        result += [f"field {name}: {each}" for each in _compare_options(field, other)]
    by_id = {field.id: name for name, field in ours.items() if field.type != "tracking_data"}
    for group in groups[0]:
        in_group = {by_id[each.id]: each for each in master.members(entity, group) if each.id in by_id}
        result += _order("fields", in_group, theirs)
    return result


def _compare_options(field: SimField, other: SimField) -> list[str]:
    ours = numbered(field.ordered_enums, lambda each: each.value)
    theirs = numbered(other.ordered_enums, lambda each: each.value)
    result = [f"no option {value}" for value in ours if value not in theirs] + _order("options", ours, theirs)
    for value, option in ours.items():
        if option.code is not None and value in theirs:
            result += _unequal(f"option {value} code", option.code, theirs[value].code)
    return result


def _named_groups(account: SimAccount, entity: str) -> dict[Name, Any]:
    groups = sorted(account.groups[entity].values(), key=lambda each: (each.sort, each.id))
    own = [each for each in groups if not each.is_predefined and each.type == "custom_field_group"]
    return numbered(own, lambda each: each.name)


def _group_names(account: SimAccount, entity: str) -> dict[str, Any]:
    names = {group.id: name for name, group in _named_groups(account, entity).items()}
    return {number: names.get(number, number) for number in account.groups[entity]}


def _named_fields(account: SimAccount, entity: str) -> dict[Any, SimField]:
    def name_of(field: SimField) -> Any:
        return ("code", field.code) if field.is_predefined else (field.name, field.type)

    groups = list(account.groups[entity])
    fields = sorted(account.fields[entity].values(), key=lambda each: (groups.index(each.group_id), each.sort, each.id))
    return numbered([each for each in fields if each.type != "chained_list"], name_of)


def _status_names(account: SimAccount) -> dict[StatusKey, Any]:
    def name_of(stage: SimStage) -> str:
        if stage.id in (WON_ID, LOST_ID):
            return str(stage.id)
        return "incoming" if stage.type == INCOMING_TYPE else "=" + stage.name

    names: dict[StatusKey, Any] = {}
    for pipeline_name, pipeline in numbered(account.ordered_pipelines, lambda each: each.name).items():
        for stage_name, stage in numbered(pipeline.stages, name_of).items():
            names[pipeline.id, stage.id] = (pipeline_name, stage_name)
    return names


def numbered(items: Iterable[T], name_of: Callable[[T], Any]) -> dict[Any, T]:
    """Returns the items by (name, n): the n-th of its name, in the order given."""
    counts: Counter[Any] = Counter()
    result: dict[Any, T] = {}
    for item in items:
        name = name_of(item)
        counts[name] += 1
        result[name, counts[name]] = item
    return result


def _order(what: str, ours: dict[Any, Any], theirs: dict[Any, Any]) -> list[str]:
    """Returns a sentence when those of ours that they have do not come in our order."""
    position = {name: at for at, name in enumerate(theirs)}
    wanted = [name for name in ours if name in position]
    actual = sorted(wanted, key=lambda name: (getattr(theirs[name], "sort", 0), position[name]))
    return [] if actual == wanted else [f"order of {what}: {wanted} became {actual}"]


def _unequal(what: str, wanted: Any, actual: Any) -> list[str]:
    return [] if wanted == actual else [f"{what}: {actual!r} instead of {wanted!r}"]
