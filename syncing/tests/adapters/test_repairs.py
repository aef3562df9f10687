"""Repairs: a refused optional part costs only itself."""

import pytest

from accounts.kommo.errors import FieldError, ItemError, Validation
from syncing.adapters.api import Json
from syncing.adapters.repairs import OPTIONAL_OF_NEW_FIELD, OptionalParts, demands_options, reduce_body

BODY: Json = {
    "name": "Source", "type": "select", "code": "SRC", "is_api_only": True,
    "required_statuses": [{"status_id": 142}, {"status_id": 5}],
    "enums": [{"value": "Web", "code": "W"}, {"value": "Fair", "code": "F"}],
}  # fmt: skip
NEW = OptionalParts(OPTIONAL_OF_NEW_FIELD)


def refusal(*paths: str) -> Validation:
    return Validation("", items=(ItemError("0", tuple(FieldError("x", path, "no") for path in paths)),))


@pytest.mark.parametrize(("path", "key", "left"), [
    ("code", "code", None),
    ("is_api_only", "is_api_only", None),
    ("required_statuses.0.status_id", "required_statuses", [{"status_id": 5}]),
    ("required_statuses", "required_statuses", None),
    ("enums.1.code", "enums", [{"value": "Web", "code": "W"}, {"value": "Fair"}]),
])  # fmt: skip
def test_a_refused_optional_part_is_left_out(path: str, key: str, left: object) -> None:
    light = reduce_body(BODY, refusal(path), NEW)
    assert light is not None
    assert light.body.get(key) == left
    assert {k: v for k, v in light.body.items() if k != key} == {k: v for k, v in BODY.items() if k != key}


@pytest.mark.parametrize(
    "paths", [("name",), ("code", "name"), ("type",), (), ("remind",), ("enums",), ("enums.0.value", "enums")]
)
def test_what_an_item_cannot_be_without_is_not_left_out(paths: tuple[str, ...]) -> None:
    assert reduce_body(BODY, refusal(*paths), NEW) is None


def test_a_complaint_about_an_empty_list_of_options_names_no_option() -> None:
    assert reduce_body({**BODY, "enums": []}, refusal("0.enums"), NEW) is None


def test_a_patch_of_which_nothing_would_be_left_is_not_sent() -> None:
    assert reduce_body({"id": 7, "currency": "EUR", "group_id": "default"}, refusal("group_id"), NEW) is None


def test_options_are_demanded_by_a_complaint_about_the_list_itself() -> None:
    assert demands_options(refusal("enums"))
    assert not demands_options(refusal("enums.0.value"))
