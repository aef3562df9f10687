"""The form of bodies: shapes, keys, kinds and lengths, before any rule that needs the account."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.simulator import problems
from accounts.simulator.problems import ItemProblem, ProblemAnswer

Item = dict[str, Any]
MAX_ITEMS = 250
MAX_NAME = 255

_KINDS: dict[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of one key."""

    kind: str
    required: bool = False
    nullable: bool = False
    max_length: int = MAX_NAME
    low: int | None = None
    high: int | None = None
    choices: frozenset[Any] | None = None


Rules = Mapping[str, Rule]


def parse(raw: bytes) -> Any:
    """Returns the decoded body; raises ProblemAnswer when there is none or it is no JSON."""
    if not raw.strip():
        raise ProblemAnswer(400, "Request data can not be empty")
    try:
        body = json.loads(raw)
    except ValueError:
        raise ProblemAnswer(400, "Request body is not valid JSON") from None
    if body in ({}, [], None, ""):
        raise ProblemAnswer(400, "Request data can not be empty")
    return body


def parse_items(raw: bytes) -> list[Any]:
    """Returns the items of a collection write; raises ProblemAnswer for an object (400) or too many items (422)."""
    body = parse(raw)
    if not isinstance(body, list):
        raise problems.invalid([("0", [problems.bad_type("", "array")])])
    if len(body) > MAX_ITEMS:
        raise ProblemAnswer(422, f"Limit {MAX_ITEMS} per page")
    return body


def parse_object(raw: bytes) -> Item:
    """Returns the object of a write to one item; raises ProblemAnswer for an array."""
    body = parse(raw)
    if not isinstance(body, dict):
        raise problems.invalid([("0", [problems.bad_type("", "object")])])
    return body


def request_id(index: int, item: object) -> str:
    """Returns the name of an item in answers: its own request id, else its index."""
    given = item.get("request_id") if isinstance(item, dict) else None
    return given if isinstance(given, str) else str(index)


def count_items(raw: bytes) -> int:
    """Returns how many items a collection write holds; 0 for anything else."""
    try:
        items = json.loads(raw or b"null")
    except ValueError:
        return 0
    return len(items) if isinstance(items, list) else 0


def check_all(items: list[Any], check: Callable[[Item], list[ItemProblem]]) -> None:
    """Checks every item first, as a batch is all or nothing; raises ProblemAnswer that names each bad item."""
    failures = []
    for index, item in enumerate(items):
        errors = check(item) if isinstance(item, dict) else [problems.bad_type("", "object")]
        if errors:
            failures.append((request_id(index, item), errors))
    if failures:
        raise problems.invalid(failures)


def check_keys(item: object, rules: Rules, path: str = "") -> list[ItemProblem]:
    """Returns the problems of one object's keys: unknown, missing, wrong kind, length, range or choice."""
    if not isinstance(item, dict):
        return [problems.bad_type(path.rstrip("."), "object")]
    errors = [problems.not_expected(path + key) for key in item if key not in rules]
    for key, rule in rules.items():
        if key not in item:
            if rule.required:
                errors.append(problems.missing(path + key))
            continue
        error = _check_value(item[key], rule, path + key)
        if error:
            errors.append(error)
    return errors


def _check_value(value: Any, rule: Rule, path: str) -> ItemProblem | None:
    if value is None and rule.nullable:
        return None
    if not _KINDS[rule.kind](value):
        return problems.bad_type(path, rule.kind)
    if isinstance(value, str):
        if value == "":
            return problems.blank(path)
        if len(value) > rule.max_length:
            return problems.too_long(path, rule.max_length)
    if rule.low is not None and rule.high is not None and not rule.low <= value <= rule.high:
        return problems.out_of_range(path, rule.low, rule.high)
    if rule.choices is not None and value not in rule.choices:
        return problems.bad_choice(path)
    return None
