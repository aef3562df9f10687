"""Custom fields, and what a write of options does to the values of leads (docs/kommo.md 5.1 to 5.4)."""

from __future__ import annotations

from typing import Any

from accounts.simulator import problems, render, validation
from accounts.simulator.api import field_rules, paging
from accounts.simulator.messages import Call, SimAnswer, deleted, success
from accounts.simulator.model import DEFAULT_SORT, ENUM_TYPES, MAIN_GROUP, STATISTIC_GROUP, SimEnum, SimField
from accounts.simulator.problems import ItemProblem, Refusal
from accounts.simulator.validation import Item

PLAIN_KEYS = ("sort", "is_api_only", "remind", "currency", "chained_lists", "tracking_callback")


def find(call: Call, entity: str, number: str) -> SimField:
    field = call.account.fields[entity].get(int(number))
    if field is None:
        raise Refusal(404, "Custom field not found")
    return field


def list_page(call: Call, entity: str) -> SimAnswer:
    fields = list(call.account.fields[entity].values())
    types, numbers = call.filter_values("type"), call.filter_values("id")
    if types:
        fields = [field for field in fields if field.type in types]
    if numbers:
        fields = [field for field in fields if str(field.id) in numbers]
    for key in ("sort", "id"):
        direction = call.parameter(f"order[{key}]")
        if direction:
            fields.sort(key=lambda field: getattr(field, key), reverse=direction == "desc")
    return paging.page_of(call, fields, "custom_fields", lambda field: render.field(call.account, field, call.base))


def show(call: Call, entity: str, number: str) -> SimAnswer:
    return success(render.field(call.account, find(call, entity, number), call.base))


def create(call: Call, entity: str) -> SimAnswer:
    items = validation.parse_items(call.body)
    validation.check_all(items, lambda item: field_rules.check_new(call, entity, item))
    _check_codes(items)
    if call.variants.monetary_post_500 and any(item["type"] == "monetary" for item in items):
        # docs/kommo.md 5.3: seen in every account of one franchise.
        raise Refusal(500, "Our team are probably already working on it", trace_id="monetary")
    made = [_make(call, entity, item) for item in items]
    bodies = call.bodies_of_created([render.field(call.account, field, call.base) for field in made], items)
    return success(_list(call, bodies), call.variants.fields_created_status)


def update_many(call: Call, entity: str) -> SimAnswer:
    items = validation.parse_items(call.body)
    validation.check_all(items, lambda item: _check_one_of_many(call, entity, item))
    fields = [call.account.fields[entity][item["id"]] for item in items]
    for field, item in zip(fields, items, strict=True):
        _apply(call, field, item)
    as_object = call.variants.batch_patch_enums_as_object
    bodies = [
        {
            **render.field(call.account, field, call.base, enums_as_object=as_object),
            "request_id": validation.request_id(index, item),
        }
        for index, (field, item) in enumerate(zip(fields, items, strict=True))
    ]
    return success(_list(call, bodies))


def update(call: Call, entity: str, number: str) -> SimAnswer:
    field = find(call, entity, number)
    item = validation.parse_object(call.body)
    validation.check_all([item], lambda each: field_rules.check_changes(call, entity, field, each, in_batch=False))
    _apply(call, field, item)
    body = render.field(call.account, field, call.base)
    return success({**body, "request_id": validation.request_id(0, item)})


def delete(call: Call, entity: str, number: str) -> SimAnswer:
    field = find(call, entity, number)
    if field.is_predefined:
        raise Refusal(call.variants.undeletable_status, "A predefined field can not be deleted")
    call.account.delete_field(field)
    return deleted(call)


def _check_one_of_many(call: Call, entity: str, item: Item) -> list[ItemProblem]:
    number = item.get("id")
    if number is None:
        return [problems.missing("id")]
    field = call.account.fields[entity].get(number) if isinstance(number, int) else None
    if field is None:
        return [problems.bad_choice("id")]
    return field_rules.check_changes(call, entity, field, item, in_batch=True)


def _check_codes(items: list[Item]) -> None:
    """A code given twice in one batch; raises Refusal."""
    seen: set[str | None] = set()
    for index, item in enumerate(items):
        code = item.get("code")
        if code is not None and code in seen:
            error = ItemProblem("NotUnique", "code", "This value is already used.")
            raise problems.invalid([(validation.request_id(index, item), [error])])
        seen.add(code)


def _make(call: Call, entity: str, item: Item) -> SimField:
    field = SimField(call.account.next_id(), entity, item["name"], item["type"], item.get("code"))
    if field.type == "tracking_data":
        field.group_id = STATISTIC_GROUP
    call.account.fields[entity][field.id] = field
    _apply(call, field, item, new=True)
    return field


def _apply(call: Call, field: SimField, item: Item, *, new: bool = False) -> None:
    for key in PLAIN_KEYS:
        if key in item:
            setattr(field, key, item[key])
    if "name" in item:
        field.name = call.stored_name("field", item["name"])
    if "group_id" in item and field.type != "tracking_data":
        field.group_id = item["group_id"] or MAIN_GROUP
    for key in ("required_statuses", "hidden_statuses"):
        if key in item:
            setattr(field, key, field_rules.statuses(call, item[key]))
    if "code" in item and not call.variants.code_patch_only_null and not new:
        field.code = item["code"]
    if item.get("enums") is not None and field.type in ENUM_TYPES:
        _replace_enums(call, field, item["enums"])


def _replace_enums(call: Call, field: SimField, items: list[Item]) -> None:
    """docs/kommo.md 5.4: the list replaces all; who is not named by id goes, with the values that leads hold."""
    kept = {item["id"] for item in items if item.get("id")}
    for enum in [enum for enum in field.enums if enum.id not in kept]:
        call.account.delete_enum(field, enum)
    old = {enum.id: enum for enum in field.enums}
    field.enums = [_enum(call, old.get(item.get("id", 0)), item) for item in items]


def _enum(call: Call, old: SimEnum | None, item: Item) -> SimEnum:
    value = call.stored_name("enum", item["value"])
    if old is None:
        return SimEnum(call.account.next_id(), value, item.get("sort", DEFAULT_SORT), item.get("code"))
    old.value = value
    old.sort = item.get("sort", old.sort)
    old.code = item.get("code", old.code)
    return old


def _list(call: Call, bodies: list[Item]) -> Any:
    return {
        "_total_items": len(bodies),
        "_links": render.link(call.url),
        "_embedded": {"custom_fields": bodies},
    }
