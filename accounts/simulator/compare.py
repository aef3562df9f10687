"""An independent judge: what of one account's configuration is missing or different in another, without any id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from accounts.simulator.account import SimAccount
from accounts.simulator.model import ENTITIES, INCOMING_TYPE, LOST_ID, PALETTE, WON_ID, SimField, SimPipeline, SimStage

T = TypeVar("T")
Name = tuple[str, int]


def differences(master: SimAccount, slave: SimAccount) -> list[str]:
    """One sentence per difference; empty when the slave has all that the master has. Own things of the slave are fine.

    Compared: everything that the API can copy. Not compared: archived pipelines, names of system stages and of
    predefined groups and fields, chained lists, and colours that no write may set.
    """
    names = _status_names(master), _status_names(slave)
    found = _pipelines(master, slave)
    for entity in ENTITIES:
        found += [f"{entity}: {each}" for each in _groups(master, slave, entity)]
        found += [f"{entity}: {each}" for each in _fields(master, slave, entity, names)]
    return found


def _pipelines(master: SimAccount, slave: SimAccount) -> list[str]:
    ours = numbered([each for each in master.ordered_pipelines if not each.is_archive], lambda each: each.name)
    theirs = numbered(slave.ordered_pipelines, lambda each: each.name)
    found = _order("pipelines", ours, theirs)
    for name, pipeline in ours.items():
        other = theirs.get(name)
        if other is None:
            found.append(f"no pipeline {name}")
            continue
        for key in ("is_main", "is_unsorted_on"):
            found += _unequal(f"pipeline {name} {key}", getattr(pipeline, key), getattr(other, key))
        found += [f"pipeline {name}: {each}" for each in _stages(pipeline, other)]
    return found


def _stages(pipeline: SimPipeline, other: SimPipeline) -> list[str]:
    ours = numbered(pipeline.ordinary, lambda each: each.name)
    theirs = numbered(other.ordinary, lambda each: each.name)
    found = _order("stages", ours, theirs)
    for name, stage in ours.items():
        match = theirs.get(name)
        if match is None:
            found.append(f"no stage {name}")
            continue
        if stage.color.lower() in PALETTE:
            found += _unequal(f"stage {name} color", stage.color.lower(), match.color.lower())
        for level, description in stage.descriptions.items():
            theirs_of_level = match.descriptions.get(level)
            text = theirs_of_level.description if theirs_of_level else None
            found += _unequal(f"stage {name} {level}", description.description, text)
    return found


def _groups(master: SimAccount, slave: SimAccount, entity: str) -> list[str]:
    ours, theirs = _named_groups(master, entity), _named_groups(slave, entity)
    return [f"no group {name}" for name in ours if name not in theirs] + _order("groups", ours, theirs)


def _fields(
    master: SimAccount,
    slave: SimAccount,
    entity: str,
    names: tuple[dict[tuple[int, int], Any], dict[tuple[int, int], Any]],
) -> list[str]:
    found: list[str] = []
    ours, theirs = _named_fields(master, entity), _named_fields(slave, entity)
    groups = _group_names(master, entity), _group_names(slave, entity)
    for name, field in ours.items():
        other = theirs.get(name)
        if other is None:
            found.append(f"no field {name}")
            continue
        for key in ("is_api_only", "remind", "currency", "tracking_callback"):
            found += _unequal(f"field {name} {key}", getattr(field, key), getattr(other, key))
        if field.type != "tracking_data":
            found += _unequal(f"field {name} group", groups[0][field.group_id], groups[1][other.group_id])
        for key in ("required_statuses", "hidden_statuses"):
            mine = {names[0][status] for status in getattr(field, key)}
            known = set(names[0].values())
            seen = {names[1][status] for status in getattr(other, key)} & known
            found += _unequal(f"field {name} {key}", mine, seen)
        found += [f"field {name}: {each}" for each in _enums(field, other)]
    for group in groups[0]:
        found += _order("fields", _own(master, entity, group, ours), theirs)
    return found


def _enums(field: SimField, other: SimField) -> list[str]:
    ours = numbered(field.ordered_enums, lambda each: each.value)
    theirs = numbered(other.ordered_enums, lambda each: each.value)
    found = [f"no option {value}" for value in ours if value not in theirs] + _order("options", ours, theirs)
    for value, enum in ours.items():
        if enum.code is not None and value in theirs:
            found += _unequal(f"option {value} code", enum.code, theirs[value].code)
    return found


def _own(account: SimAccount, entity: str, group: str, names: dict[Any, SimField]) -> dict[Any, SimField]:
    """The named fields of one group, in the order of the card."""
    by_id = {field.id: name for name, field in names.items()}
    # The statistic group is Kommo's own.
    members = [field for field in account.members(entity, group) if field.type != "tracking_data"]
    return {by_id[field.id]: field for field in members if field.id in by_id}


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


def _status_names(account: SimAccount) -> dict[tuple[int, int], Any]:
    names: dict[tuple[int, int], Any] = {}
    for pipeline_name, pipeline in numbered(account.ordered_pipelines, lambda each: each.name).items():
        for stage_name, stage in numbered(pipeline.stages, _stage_name).items():
            names[pipeline.id, stage.id] = (pipeline_name, stage_name)
    return names


def _stage_name(stage: SimStage) -> str:
    if stage.id in (WON_ID, LOST_ID):
        return str(stage.id)
    return "incoming" if stage.type == INCOMING_TYPE else "=" + stage.name


def numbered(items: Iterable[T], name_of: Callable[[T], Any]) -> dict[Any, T]:
    """Items by (name, n): the n-th of its name, in the order given."""
    seen: Counter[Any] = Counter()
    result: dict[Any, T] = {}
    for item in items:
        name = name_of(item)
        seen[name] += 1
        result[name, seen[name]] = item
    return result


def _order(what: str, ours: dict[Any, Any], theirs: dict[Any, Any]) -> list[str]:
    """Whether those of ours that they have come in our order."""
    position = {name: at for at, name in enumerate(theirs)}
    mine = [name for name in ours if name in position]
    seen = sorted(mine, key=lambda name: (getattr(theirs[name], "sort", 0), position[name]))
    return [] if seen == mine else [f"order of {what}: {mine} became {seen}"]


def _unequal(what: str, mine: Any, seen: Any) -> list[str]:
    return [] if mine == seen else [f"{what}: {seen!r} instead of {mine!r}"]
