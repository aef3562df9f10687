"""Parsing: Kommo's JSON of one item as a value."""

from typing import Any

import pytest

from syncing.adapters.parsing import parse_field
from syncing.engine.resources.custom_fields import Enum


def parse_enums(value: Any) -> tuple[Enum, ...]:
    return parse_field("leads", {"id": 3, "name": "Source", "type": "text", "enums": value}).enums


def test_an_option_without_a_value_is_unknown_and_one_with_an_empty_one_is_not() -> None:
    assert [enum.value for enum in parse_enums([{"id": 7, "value": None}, {"id": 8, "value": ""}])] == [None, ""]


@pytest.mark.parametrize("value", [
    [{"id": 7, "value": "Web", "sort": 1, "code": "W"}, {"id": 8, "value": "Fair"}],
    {"0": {"id": 7, "value": "Web", "sort": 1, "code": "W"}, "1": {"id": 8, "value": "Fair"}},
])  # fmt: skip
def test_options_come_as_a_list_or_as_an_object_by_index(value: Any) -> None:
    assert parse_enums(value) == (Enum(7, "Web", 1, "W"), Enum(8, "Fair", 0, None))


def test_no_options_are_no_options() -> None:
    assert parse_enums(None) == parse_enums([]) == parse_enums({}) == ()
