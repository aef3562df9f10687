"""Reader: Kommo's JSON as values; what has a wrong shape is held back, and never makes a list shorter."""

from typing import Any

import pytest

from syncing.adapters import endpoints
from syncing.adapters.reader import NO_PIPELINES, Reader
from syncing.engine.refs import Kind
from syncing.engine.resources.stages import Description
from syncing.engine.snapshot import from_document, to_document

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


@pytest.mark.parametrize(("broken", "path", "problem"), [
    (7, "pipelines.1", "it is 7, not an object"), (None, "pipelines.1", "it is null, not an object"),
    ({}, "pipelines.1._embedded.statuses", "it is missing"),
    (without(PIPELINE, "id"), "pipelines.1.id", "it is missing"),
    ({**PIPELINE, "id": "x"}, "pipelines.1.id", "it is 'x', not a number"),
    ({**PIPELINE, "id": True}, "pipelines.1.id", "it is True, not a number"),
    (without(PIPELINE, "name"), "name", "it is missing"), ({**PIPELINE, "name": None}, "name", "it is null"),
    ({**PIPELINE, "name": {}}, "name", "it is a JSON dict, not a text"),
    ({**PIPELINE, "name": True}, "name", "it is True, not a text"),
    ({**PIPELINE, "sort": "high"}, "sort", "it is 'high', not a number"),
    (without(PIPELINE, "_embedded"), "_embedded.statuses", "it is missing"),
    ({**PIPELINE, "_embedded": []}, "_embedded.statuses", "it is missing"),
    ({**PIPELINE, "_embedded": {"statuses": None}}, "_embedded.statuses", "it is missing"),
    ({**PIPELINE, "_embedded": {"statuses": {"id": 1}}}, "_embedded.statuses", "it is a JSON dict, not a list"),
])  # fmt: skip
def test_an_odd_pipeline_is_held_back_and_the_others_are_read(broken: Any, path: str, problem: str) -> None:
    reader = Reader(Lists(pipelines=[PIPELINE, broken]))
    assert [pipeline.id for pipeline in reader.pipelines()] == [PIPELINE["id"]]
    (held,) = reader.held
    assert (held.kind, held.path, held.problem) == (Kind.PIPELINE, path, problem)
    assert held.key in ("", str(PIPELINE["id"]))


@pytest.mark.parametrize(("broken", "path", "problem"), [
    (7, "_embedded.statuses.1", "it is 7, not an object"),
    (without(STAGE, "id"), "_embedded.statuses.1.id", "it is missing"),
    (without(STAGE, "name"), "_embedded.statuses.1.name", "it is missing"),
    ({**STAGE, "name": None}, "_embedded.statuses.1.name", "it is null"),
    ({**STAGE, "sort": "high"}, "_embedded.statuses.1.sort", "it is 'high', not a number"),
    ({**STAGE, "color": 7.5}, "_embedded.statuses.1.color", "it is 7.5, not a text"),
])  # fmt: skip
def test_an_odd_stage_is_held_back_and_its_pipeline_is_read(broken: Any, path: str, problem: str) -> None:
    reader = Reader(Lists(pipelines=[{**PIPELINE, "_embedded": {"statuses": [STAGE, broken]}}]))
    (pipeline,) = reader.pipelines()
    assert [stage.id for stage in pipeline.stages] == [STAGE["id"]]
    (held,) = reader.held
    assert (held.kind, held.within, held.path, held.problem) == (Kind.STAGE, str(pipeline.id), path, problem)


@pytest.mark.parametrize(("broken", "path"), [
    (without(FIELD, "id"), "custom_fields.1.id"), ({**FIELD, "id": None}, "custom_fields.1.id"),
    (without(FIELD, "name"), "name"), ({**FIELD, "name": None}, "name"),
    (without(FIELD, "type"), "type"), ({**FIELD, "type": None}, "type"), ({**FIELD, "code": {}}, "code"),
    ({**FIELD, "enums": "Web"}, "enums"), ({**FIELD, "enums": [7]}, "enums.0"), ({**FIELD, "enums": 7}, "enums"),
    ({**FIELD, "enums": [{"value": "Web"}]}, "enums.0.id"), ({**FIELD, "enums": [{"id": 7}]}, "enums.0.value"),
    ({**FIELD, "enums": {"0": "Web"}}, "enums.0"), ({**FIELD, "required_statuses": [5]}, "required_statuses.0"),
    ({**FIELD, "required_statuses": [{"status_id": 5}]}, "required_statuses.0.pipeline_id"),
    ({**FIELD, "required_statuses": [{"status_id": 5, "pipeline_id": None}]}, "required_statuses.0.pipeline_id"),
    ({**FIELD, "required_statuses": 5}, "required_statuses"), ({**FIELD, "hidden_statuses": [{}]}, "hidden_statuses.0"),
    ({**FIELD, "sort": "high"}, "sort"), ({**FIELD, "currency": []}, "currency"),
])  # fmt: skip
def test_an_odd_field_is_held_back_and_the_others_are_read(broken: Any, path: str) -> None:
    reader = Reader(Lists(custom_fields=[FIELD, broken]))
    assert len(reader.fields("leads")) == 1
    (held,) = reader.held
    assert (held.kind, held.within) == (Kind.CUSTOM_FIELD, "leads")
    assert held.path.startswith(path)
    assert held.problem


@pytest.mark.parametrize(("broken", "path"), [
    ({}, "custom_field_groups.1.id"), (without(GROUP, "id"), "custom_field_groups.1.id"), (7, "custom_field_groups.1"),
    (without(GROUP, "name"), "name"), ({**GROUP, "fields": ["x"]}, "fields.0"),
])  # fmt: skip
def test_an_odd_group_is_held_back_and_the_others_are_read(broken: Any, path: str) -> None:
    reader = Reader(Lists(custom_field_groups=[GROUP, broken]))
    assert len(reader.groups("leads")) == 1
    (held,) = reader.held
    assert (held.kind, held.within) == (Kind.FIELD_GROUP, "leads")
    assert held.path.startswith(path)


@pytest.mark.parametrize("texts", [["x"], [{"description": "no level"}], 7])
def test_a_stage_with_odd_descriptions_is_held_back(texts: Any) -> None:
    reader = Reader(Lists(pipelines=[PIPELINE], statuses=[{**STAGE, "descriptions": texts}]))
    assert reader.read(with_fields=False).pipelines[0].stages == ()
    (held,) = reader.held
    assert (held.kind, held.name) == (Kind.STAGE, STAGE["name"])
    assert held.path.startswith("descriptions")


def test_descriptions_of_nobody_knows_which_stage_hold_back_those_that_came_without() -> None:
    reader = Reader(Lists(pipelines=[PIPELINE], statuses=[without(STAGE, "id")]))
    assert reader.read(with_fields=False).pipelines[0].stages == ()
    assert [held.key for held in reader.held] == ["1/5"]


def test_what_is_held_back_is_that_of_the_latest_reading() -> None:
    lists = Lists(pipelines=[PIPELINE, 7], custom_fields=[7])
    reader = Reader(lists)
    reader.pipelines()
    reader.fields("leads")
    assert len(reader.held) == 2
    lists.lists["pipelines"] = [PIPELINE]
    reader.pipelines()
    assert [held.kind for held in reader.held] == [Kind.CUSTOM_FIELD]


def test_a_snapshot_with_what_is_held_back_comes_back_from_its_document() -> None:
    odd = {**FIELD, "type": 1.5, "code": "SOURCE"}
    reader = Reader(Lists(pipelines=[PIPELINE, {**PIPELINE, "id": 9, "name": None}], custom_fields=[odd]))
    snapshot = reader.read(with_fields=True, described=NO_PIPELINES)
    assert len(snapshot.held) == 4
    assert from_document(to_document(snapshot)) == snapshot


def test_a_document_of_an_account_that_was_read_whole_is_as_it_always_was() -> None:
    document = to_document(Reader(Lists(pipelines=[PIPELINE])).read(with_fields=False, described=NO_PIPELINES))
    assert set(document) == {"pipelines", "groups", "fields"}
    assert from_document(document).held == ()


def test_lists_inside_items_come_as_objects_by_index_too() -> None:
    keyed = {
        **FIELD, "enums": {"1": {"id": 8, "value": "b"}, "0": {"id": 7, "value": "a"}},
        "required_statuses": {"0": {"pipeline_id": 1, "status_id": 5}}, "hidden_statuses": {},
    }  # fmt: skip
    (field,) = Reader(Lists(custom_fields=[keyed])).fields("leads")
    assert [enum.id for enum in field.enums] == [7, 8]
    assert (field.required_statuses, field.hidden_statuses) == (((1, 5),), ())
    (pipeline,) = Reader(Lists(pipelines=[{**PIPELINE, "_embedded": {"statuses": {"0": STAGE}}}])).pipelines()
    assert len(pipeline.stages) == 1
    (group,) = Reader(Lists(custom_field_groups=[{**GROUP, "fields": {"0": 3, "1": 4}}])).groups("leads")
    assert group.fields == (3, 4)


def test_what_kommo_leaves_out_has_its_default() -> None:
    (field,) = Reader(Lists(custom_fields=[{"id": 3, "name": "", "type": "text"}])).fields("leads")
    assert (field.name, field.sort, field.code, field.enums, field.required_statuses) == ("", 0, None, (), ())
    assert field.hidden_statuses is None, "no such feature"
    (group,) = Reader(Lists(custom_field_groups=[{"id": "default", "name": "Main"}])).groups("leads")
    assert (group.sort, group.is_predefined, group.fields) == (0, True, ())
    bare = {"id": 7, "name": "Sales", "_embedded": {"statuses": [{"id": 5, "name": "Incoming", "is_editable": False}]}}
    (pipeline,) = Reader(Lists(pipelines=[bare])).pipelines()
    assert (pipeline.sort, pipeline.is_main, pipeline.is_unsorted_on, pipeline.stages[0].type) == (0, False, True, 1)


def test_a_field_without_a_group_id_may_be_listed_by_its_group() -> None:
    """What `group_id` null means, sources disagree on (docs/kommo.md 5.2)."""
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
    (plain,) = Reader(lists).read(with_fields=False, described=NO_PIPELINES).pipelines
    assert plain.stages[0].descriptions is None
    assert lists.asked == [endpoints.PIPELINES, endpoints.statuses(1), endpoints.PIPELINES]
