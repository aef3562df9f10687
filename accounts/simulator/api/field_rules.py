"""The rules of custom fields, by type, entity and account (docs/kommo.md 5.2 to 5.4)."""

from __future__ import annotations

import re
from typing import Any

from accounts.simulator import problems, validation
from accounts.simulator.messages import Call
from accounts.simulator.model import ENUM_TYPES, LOST_ID, WON_ID, SimField, StatusKey
from accounts.simulator.problems import ItemProblem
from accounts.simulator.validation import Item, Rule

COMMON_TYPES = frozenset((
    "text", "numeric", "checkbox", "select", "multiselect", "date", "url", "date_time", "textarea", "radiobutton",
    "streetaddress", "file", "monetary", "smart_address", "birthday", "legal_entity",
))  # fmt: skip
# docs/kommo.md 5.3. multitext is there only as PHONE and EMAIL, which Kommo makes itself.
TYPES = {
    "leads": COMMON_TYPES | {"chained_list", "tracking_data"},
    "contacts": COMMON_TYPES,
    "companies": COMMON_TYPES,
}
REMINDERS = frozenset({"never", "day", "week", "month"})
MAX_CHAINED = 5
CURRENCY = re.compile("[A-Z]{3}")

# A key of one type: not expected on a field of another type, unless it is null there.
OWNERS = {
    "enums": ENUM_TYPES,
    "remind": frozenset({"birthday"}),
    "currency": frozenset({"monetary"}),
    "chained_lists": frozenset({"chained_list"}),
    "tracking_callback": frozenset({"tracking_data"}),
}
COMMON_RULES = {
    "name": Rule("string"),
    "type": Rule("string"),
    "code": Rule("string", nullable=True),
    "sort": Rule("integer", low=0, high=2**31 - 1),
    "group_id": Rule("string", nullable=True),
    "is_api_only": Rule("boolean"),
    "required_statuses": Rule("array", nullable=True),
    "enums": Rule("array", nullable=True),
    "remind": Rule("string", nullable=True, choices=REMINDERS),
    "currency": Rule("string", nullable=True),
    "chained_lists": Rule("array", nullable=True),
    "tracking_callback": Rule("string", nullable=True, max_length=65_535),
    "request_id": Rule("string"),
}
STATUS_RULES = {"status_id": Rule("integer", required=True), "pipeline_id": Rule("integer", required=True)}
ENUM_RULES = {
    "id": Rule("integer"),
    "value": Rule("string", required=True),
    "sort": Rule("integer", low=0, high=2**31 - 1),
    "code": Rule("string", nullable=True),
}
CHAINED_RULES = {
    "title": Rule("string", required=True, nullable=True),
    "catalog_id": Rule("integer", required=True),
    "parent_catalog_id": Rule("integer", nullable=True),
}


def check_new(call: Call, entity: str, item: Item) -> list[ItemProblem]:
    """Returns the problems of a field to be created."""
    rules = _rules(call, entity)
    rules |= {key: Rule("string", required=True) for key in ("name", "type")}
    errors = validation.check_keys(item, rules)
    type_ = item.get("type")
    if not isinstance(type_, str):
        return errors
    if type_ not in TYPES[entity]:
        return [*errors, problems.bad_choice("type")]
    if type_ in ENUM_TYPES and "enums" not in item:
        errors.append(problems.missing("enums"))
    if type_ == "monetary" and "currency" not in item:
        errors.append(problems.missing("currency"))
    code = item.get("code")
    if code is not None and any(code == field.code for field in call.account.fields[entity].values()):
        errors.append(problems.not_unique("code"))
    return errors + _check_parts(call, entity, item, type_, None)


def check_codes_differ(items: list[Item]) -> None:
    """Raises ProblemAnswer when a code is given twice in one batch."""
    codes: set[str | None] = set()
    for index, item in enumerate(items):
        code = item.get("code")
        if code is not None and code in codes:
            raise problems.invalid([(validation.request_id(index, item), [problems.not_unique("code")])])
        codes.add(code)


def check_changes_in_batch(call: Call, entity: str, item: Item) -> list[ItemProblem]:
    """Returns the problems of changes to the field that the item names by its id."""
    number = item.get("id")
    if number is None:
        return [problems.missing("id")]
    field = call.account.fields[entity].get(number) if isinstance(number, int) else None
    if field is None:
        return [problems.bad_choice("id")]
    return check_changes(call, field, item, further_rules={"id": Rule("integer", required=True)})


def check_changes(
    call: Call, field: SimField, item: Item, *, further_rules: validation.Rules | None = None
) -> list[ItemProblem]:
    """Returns the problems of changes to a field."""
    rules = _rules(call, field.entity) | dict(further_rules or {})
    if call.variants.group_null_patch_rejected:
        rules["group_id"] = Rule("string")
    errors = validation.check_keys(item, rules)
    if "type" in item and item["type"] != field.type:
        errors.append(problems.bad_choice("type"))
    if item.get("code") is not None and call.variants.code_patch_only_null:
        errors.append(ItemProblem("OnlyNull", "code", "This value should be null."))
    if field.type == "monetary" and "currency" not in item and call.variants.monetary_patch_needs_currency:
        errors.append(problems.missing("currency"))
    if field.type in ENUM_TYPES and "enums" not in item and call.variants.enums_required_on_patch:
        errors.append(problems.missing("enums"))
    return errors + _check_parts(call, field.entity, item, field.type, field)


def statuses(call: Call, items: list[Item] | None) -> list[StatusKey]:
    """Returns the keys of a checked list of statuses, each once; system ones may be dropped without a word."""
    keys = dict.fromkeys((item["pipeline_id"], item["status_id"]) for item in items or [])
    if call.variants.system_required_statuses == "drop":
        return [key for key in keys if key[1] not in (WON_ID, LOST_ID)]
    return list(keys)


def _rules(call: Call, entity: str) -> dict[str, Rule]:
    rules = dict(COMMON_RULES)
    if entity == "leads" and call.account.super_fields:
        rules["hidden_statuses"] = Rule("array", nullable=True)
    return rules


def _check_parts(call: Call, entity: str, item: Item, type_: str, field: SimField | None) -> list[ItemProblem]:
    """Returns the problems that the type and the account make of single keys."""
    errors = [
        problems.not_expected(key) for key, types in OWNERS.items() if item.get(key) is not None and type_ not in types
    ]
    if type_ == "monetary" and "currency" in item:
        currency = item["currency"]
        if not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
            errors.append(problems.bad_choice("currency"))
    group_id = item.get("group_id")
    if isinstance(group_id, str) and group_id not in call.account.groups[entity]:
        errors.append(problems.bad_choice("group_id"))
    for key in ("required_statuses", "hidden_statuses"):
        errors += _check_statuses(call, item.get(key), key)
    if type_ in ENUM_TYPES and "enums" in item:
        errors += _check_options(call, item["enums"], field)
    if type_ == "chained_list":
        errors += _check_chained_lists(call, item.get("chained_lists"))
    return errors


def _numbered(items: Any, key: str) -> list[tuple[str, Any]]:
    """Returns the items of a list with the path of each; nothing for what is no list."""
    return [(f"{key}.{index}.", item) for index, item in enumerate(items if isinstance(items, list) else [])]


def _check_statuses(call: Call, items: Any, key: str) -> list[ItemProblem]:
    errors: list[ItemProblem] = []
    for path, item in _numbered(items, key):
        wrong = validation.check_keys(item, STATUS_RULES, path)
        if not wrong and item["pipeline_id"] not in call.account.pipelines:
            wrong = [problems.bad_choice(path + "pipeline_id")]
        elif not wrong and not call.account.has_status((item["pipeline_id"], item["status_id"])):
            wrong = [problems.bad_choice(path + "status_id")]
        errors += wrong
    return errors


def _check_options(call: Call, items: Any, field: SimField | None) -> list[ItemProblem]:
    if not items:
        return [problems.blank("enums")]
    rules = ENUM_RULES if field else {key: rule for key, rule in ENUM_RULES.items() if key != "id"}
    known = {option.id for option in field.enums} if field else set()
    errors: list[ItemProblem] = []
    for path, item in _numbered(items, "enums"):
        errors += validation.check_keys(item, rules, path)
        value = item.get("value") if isinstance(item, dict) else None
        if value and value in call.variants.refused_options.split(","):
            errors.append(problems.bad_choice(path + "value"))
        number = item.get("id") if field and isinstance(item, dict) else None
        if isinstance(number, int):
            if number not in known:
                errors.append(problems.bad_choice(path + "id"))
            # An id may be given once only.
            known.discard(number)
    return errors


def _check_chained_lists(call: Call, items: Any) -> list[ItemProblem]:
    errors: list[ItemProblem] = []
    for path, item in _numbered(items, "chained_lists"):
        wrong = validation.check_keys(item, CHAINED_RULES, path)
        if not wrong and item["catalog_id"] not in call.account.catalogs:
            wrong = [problems.bad_choice(path + "catalog_id")]
        errors += wrong
    if isinstance(items, list) and len(items) > MAX_CHAINED:
        errors.append(ItemProblem("TooMany", "chained_lists", f"At most {MAX_CHAINED} levels."))
    return errors
