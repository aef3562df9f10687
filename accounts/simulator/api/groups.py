"""Field groups (docs/kommo.md 5.5)."""

from __future__ import annotations

from typing import Any

from accounts.simulator import problems, render, validation
from accounts.simulator.messages import Call, SimAnswer, deleted, nothing, success
from accounts.simulator.model import MAIN_GROUP, SimGroup
from accounts.simulator.problems import ItemProblem, ProblemAnswer
from accounts.simulator.validation import Item, Rule

PATCH_RULES = {
    "name": Rule("string"),
    "sort": Rule("integer"),
    "fields": Rule("array"),
    "request_id": Rule("string"),
}
POST_RULES = {**PATCH_RULES, "name": Rule("string", required=True)}


def find(call: Call, entity: str, name: str) -> SimGroup:
    group = call.account.groups[entity].get(name)
    if group is None:
        raise ProblemAnswer(404, "Custom field group not found")
    return group


def list_all(call: Call, entity: str) -> SimAnswer:
    """Lists all groups in one answer: this list has no pages, and the main group is there unless a fault hides it."""
    groups = call.visible(sorted(call.account.groups[entity].values(), key=lambda each: each.sort))
    if not groups:
        return nothing()
    return success(call.collection("custom_field_groups", [_body(call, entity, each) for each in groups]))


def show(call: Call, entity: str, name: str) -> SimAnswer:
    return success(_body(call, entity, find(call, entity, name)))


def create(call: Call, entity: str) -> SimAnswer:
    items = validation.parse_items(call.body)
    validation.check_all(items, lambda item: _check(call, entity, item, POST_RULES))
    created = []
    for item in items:
        group = call.account.add_group(entity, call.stored_name("group", item["name"]), sort=item.get("sort"))
        _set_members(call, entity, group, item.get("fields"))
        created.append(group)
    bodies = call.bodies_of_created([_body(call, entity, group) for group in created], items)
    return success(call.collection("custom_field_groups", bodies), call.variants.groups_created_status)


def update(call: Call, entity: str, name: str) -> SimAnswer:
    group = find(call, entity, name)
    item = validation.parse_object(call.body)
    validation.check_all([item], lambda each: _check(call, entity, each, PATCH_RULES))
    group.name = call.stored_name("group", item["name"]) if "name" in item else group.name
    group.sort = item.get("sort", group.sort)
    _set_members(call, entity, group, item.get("fields"))
    return success({**_body(call, entity, group), "request_id": validation.request_id(0, item)})


def delete(call: Call, entity: str, name: str) -> SimAnswer:
    group = find(call, entity, name)
    if group.is_predefined:
        raise ProblemAnswer(call.variants.undeletable_status, "A predefined group can not be deleted")
    call.account.delete_group(entity, group)
    return deleted(call)


def _set_members(call: Call, entity: str, group: SimGroup, numbers: list[int] | None) -> None:
    """Gives the group exactly these fields, without a change of any sort; fields left out go to the main group."""
    if numbers is None:
        return
    left = [field for field in call.account.members(entity, group.id) if field.id not in numbers]
    come = [call.account.fields[entity][number] for number in numbers]
    for fields, group_id in ((left, MAIN_GROUP), (come, group.id)):
        for field in fields:
            # Tracking fields stay in the statistic group, which Kommo keeps for them.
            if field.type != "tracking_data":
                field.group_id = group_id


def _check(call: Call, entity: str, item: Item, rules: validation.Rules) -> list[ItemProblem]:
    errors = validation.check_keys(item, rules)
    numbers: Any = item.get("fields")
    for index, number in enumerate(numbers if isinstance(numbers, list) else []):
        path = f"fields.{index}"
        if not isinstance(number, int) or isinstance(number, bool):
            errors.append(problems.bad_type(path, "integer"))
        elif number not in call.account.fields[entity]:
            errors.append(problems.bad_choice(path))
    return errors


def _body(call: Call, entity: str, group: SimGroup) -> Item:
    return render.group(call.account, entity, group, call.base)
