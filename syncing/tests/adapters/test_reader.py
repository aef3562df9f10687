"""Reader: Kommo's JSON as values; every wrong shape is an error, never a shorter list."""

from typing import Any

import pytest

from accounts.kommo.errors import BadAnswer, KommoError
from syncing.adapters import endpoints
from syncing.adapters.reader import NONE, Reader, parse_enums
from syncing.engine.resources.custom_fields import Enum
from syncing.engine.resources.stages import Description

STAGE = {"id": 5, "name": "New", "sort": 20, "color": "#FFFEB2", "type": 0, "is_editable": True}
PIPELINE = {
    "id": 1, "name": "Sales", "sort": 1, "is_main": True, "is_unsorted_on": True, "is_archive": False,
    "_embedded": {"statuses": [STAGE]},
}  # fmt: skip
GROUP = {
    "id": "leads_1",
    "name": "Deal",
    "is_predefined": False,
    "fields": [3],
    "sort": 1,
    "type": "custom_field_group",
}
FIELD = {
    "id": 3, "name": "Source", "type": "select", "sort": 500, "code": None, "group_id": None, "is_api_only": False,
    "enums": [{"id": 7, "value": "Web", "sort": 1}], "required_statuses": [{"pipeline_id": 1, "status_id": 5}],
    "is_predefined": False,
}  # fmt: skip


class Lists:
    """A client that has these lists, by the end of their path."""

    account = "north"

    def __init__(self, **lists: list[Any]) -> None:
        self.lists = lists
        self.asked: list[str] = []

    def get_all(self, path: str, key: str, params: Any = None, page_size: int | None = 250) -> list[Any]:
        self.asked.append(path)
        return self.lists.get(key, [])

    def post(self, path: str, items: list[Any]) -> Any:
        raise NotImplementedError

    def patch(self, path: str, body: Any) -> Any:
        raise NotImplementedError


def without(item: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in keys}


@pytest.mark.parametrize("broken", [
    {}, without(PIPELINE, "id"), without(PIPELINE, "name"), without(PIPELINE, "_embedded"),
    {**PIPELINE, "_embedded": []},
    {**PIPELINE, "_embedded": {}}, {**PIPELINE, "_embedded": {"statuses": None}},
    {**PIPELINE, "id": "x"}, {**PIPELINE, "_embedded": {"statuses": [without(STAGE, "id")]}},
    {**PIPELINE, "_embedded": {"statuses": [7]}}, {**PIPELINE, "_embedded": {"statuses": [{**STAGE, "sort": "high"}]}},
])  # fmt: skip
def test_a_wrong_pipeline_is_a_bad_answer(broken: Any) -> None:
    with pytest.raises(BadAnswer, match="north") as caught:
        Reader(Lists(pipelines=[PIPELINE, broken])).pipelines()
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("broken", [
    {}, without(FIELD, "id"), without(FIELD, "name"), without(FIELD, "type"), {**FIELD, "id": None},
    {**FIELD, "enums": "Web"}, {**FIELD, "enums": [7]}, {**FIELD, "enums": [{"value": "Web"}]},
    {**FIELD, "enums": [{"id": 7}]}, {**FIELD, "enums": {"0": "Web"}}, {**FIELD, "enums": 7},
    {**FIELD, "required_statuses": [5]}, {**FIELD, "required_statuses": [{"status_id": 5}]},
    {**FIELD, "required_statuses": 5}, {**FIELD, "hidden_statuses": [{}]}, {**FIELD, "sort": "high"},
])  # fmt: skip
def test_a_wrong_field_is_a_bad_answer(broken: Any) -> None:
    with pytest.raises(BadAnswer):
        Reader(Lists(custom_fields=[FIELD, broken])).fields("leads")


@pytest.mark.parametrize("broken", [{}, without(GROUP, "id"), without(GROUP, "name"), {**GROUP, "fields": ["x"]}])
def test_a_wrong_group_is_a_bad_answer(broken: Any) -> None:
    with pytest.raises(BadAnswer):
        Reader(Lists(custom_field_groups=[GROUP, broken])).groups("leads")


@pytest.mark.parametrize("texts", [["x"], [{"description": "no level"}], 7])
def test_wrong_descriptions_are_a_bad_answer(texts: Any) -> None:
    lists = Lists(pipelines=[PIPELINE], statuses=[{**STAGE, "descriptions": texts}])
    with pytest.raises(KommoError):
        Reader(lists).read(with_fields=False)


def test_what_kommo_leaves_out_has_its_default() -> None:
    (field,) = Reader(Lists(custom_fields=[{"id": 3, "name": None, "type": "text"}])).fields("leads")
    assert (field.name, field.sort, field.code, field.enums, field.required_statuses) == ("", 0, None, (), ())
    assert field.hidden_statuses is None, "no such feature"
    (group,) = Reader(Lists(custom_field_groups=[{"id": "default", "name": "Main"}])).groups("leads")
    assert (group.sort, group.is_predefined, group.fields) == (0, True, ())
    bare = {"id": 7, "name": "Sales", "_embedded": {"statuses": [{"id": 5, "name": "Incoming", "is_editable": False}]}}
    (pipeline,) = Reader(Lists(pipelines=[bare])).pipelines()
    assert (pipeline.sort, pipeline.is_main, pipeline.is_unsorted_on, pipeline.stages[0].type) == (0, False, True, 1)


@pytest.mark.parametrize("value", [
    [{"id": 7, "value": "Web", "sort": 1, "code": "W"}, {"id": 8, "value": "Fair"}],
    {"0": {"id": 7, "value": "Web", "sort": 1, "code": "W"}, "1": {"id": 8, "value": "Fair"}},
])  # fmt: skip
def test_options_come_as_a_list_or_as_an_object_by_index(value: Any) -> None:
    assert parse_enums(value) == (Enum(7, "Web", 1, "W"), Enum(8, "Fair", 0, None))


def test_no_options_are_no_options() -> None:
    assert parse_enums(None) == parse_enums([]) == parse_enums({}) == ()


def test_a_field_without_a_group_id_may_be_listed_by_its_group() -> None:
    """`group_id` null is a CONFLICT (kommo-api.md 5.2)."""
    _, fields = Reader(Lists(custom_fields=[FIELD], custom_field_groups=[GROUP])).groups_and_fields(["leads"])
    assert [field.group_id for field in fields] == ["leads_1"]


def test_product_groups_are_skipped() -> None:
    groups = [GROUP, {**GROUP, "id": "leads_2", "type": "linked_group"}]
    assert [group.id for group in Reader(Lists(custom_field_groups=groups)).groups("leads")] == ["leads_1"]


def test_descriptions_are_read_where_they_are_wanted_only() -> None:
    texts = [{"id": 9, "level": "newbie", "description": "Call"}, {"id": 8, "level": "master", "description": ""}]
    lists = Lists(pipelines=[PIPELINE], statuses=[{**STAGE, "descriptions": texts}])
    (pipeline,) = Reader(lists).read(with_fields=False).pipelines
    assert pipeline.stages[0].descriptions == (Description(9, "newbie", "Call"),)
    (plain,) = Reader(lists).read(with_fields=False, described=NONE).pipelines
    assert plain.stages[0].descriptions is None
    assert lists.asked == [endpoints.PIPELINES, endpoints.statuses(1), endpoints.PIPELINES]
