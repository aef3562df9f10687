"""Custom fields; a write of options may take values of leads (docs/kommo.md 5.1 to 5.4)."""

from __future__ import annotations

from accounts.simulator import problems, render, validation
from accounts.simulator.api import field_rules, paging
from accounts.simulator.messages import Call, SimAnswer, deleted, success
from accounts.simulator.model import DEFAULT_SORT, ENUM_TYPES, MAIN_GROUP, STATISTIC_GROUP, SimEnum, SimField
from accounts.simulator.problems import ProblemAnswer
from accounts.simulator.validation import Item

PLAIN_KEYS = ("sort", "is_api_only", "remind", "currency", "chained_lists", "tracking_callback")


def find(call: Call, entity: str, number: str) -> SimField:
    field = call.account.fields[entity].get(int(number))
    if field is None:
        raise ProblemAnswer(404, "Custom field not found")
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
    field_rules.check_codes_differ(items)
    if call.variants.monetary_post_500 and any(item["type"] == "monetary" for item in items):
        # docs/kommo.md 5.3: seen in every account of one franchise.
        raise ProblemAnswer(500, problems.BROKEN, trace_id="monetary")
    created = []
    for item in items:
        field = SimField(call.account.next_id(), entity, item["name"], item["type"], item.get("code"))
        if field.type == "tracking_data":
            field.group_id = STATISTIC_GROUP
        call.account.fields[entity][field.id] = field
        _apply(call, field, item, new=True)
        created.append(field)
    bodies = call.bodies_of_created([render.field(call.account, field, call.base) for field in created], items)
    return success(call.collection("custom_fields", bodies), call.variants.fields_created_status)


def update_many(call: Call, entity: str) -> SimAnswer:
    items = validation.parse_items(call.body)
    validation.check_all(items, lambda item: field_rules.check_changes_in_batch(call, entity, item))
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
    return success(call.collection("custom_fields", bodies))


def update(call: Call, entity: str, number: str) -> SimAnswer:
    field = find(call, entity, number)
    item = validation.parse_object(call.body)
    validation.check_all([item], lambda each: field_rules.check_changes(call, field, each))
    _apply(call, field, item)
    body = render.field(call.account, field, call.base)
    return success({**body, "request_id": validation.request_id(0, item)})


def delete(call: Call, entity: str, number: str) -> SimAnswer:
    field = find(call, entity, number)
    if field.is_predefined:
        raise ProblemAnswer(call.variants.undeletable_status, "A predefined field can not be deleted")
    call.account.delete_field(field)
    return deleted(call)


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
        _replace_options(call, field, item["enums"])


def _replace_options(call: Call, field: SimField, items: list[Item]) -> None:
    """Replaces all options (docs/kommo.md 5.4): one not named by id goes, with the values that leads hold."""
    named = {item["id"] for item in items if item.get("id")}
    for gone in [each for each in field.enums if each.id not in named]:
        call.account.delete_enum(field, gone)
    old = {each.id: each for each in field.enums}
    field.enums = []
    for item in items:
        value, option = call.stored_name("enum", item["value"]), old.get(item.get("id", 0))
        if option is None:
            option = SimEnum(call.account.next_id(), value, item.get("sort", DEFAULT_SORT), item.get("code"))
        else:
            option.value = value
            option.sort = item.get("sort", option.sort)
            option.code = item.get("code", option.code)
        field.enums.append(option)
