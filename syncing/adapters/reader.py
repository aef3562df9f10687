"""Read an account: Kommo's JSON to engine values; what is incomplete raises, it never looks like "nothing there"."""

from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from accounts.kommo.errors import BadAnswer
from accounts.kommo.quirks import items_of
from syncing.adapters import endpoints
from syncing.adapters.api import Api, Json
from syncing.engine.resources.custom_fields import ENTITIES, CustomField, Enum, StageId
from syncing.engine.resources.field_groups import LINKED_GROUP, PREDEFINED_GROUPS, FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import INCOMING_TYPE, LOST, WON, Description, Stage
from syncing.engine.snapshot import Snapshot

T = TypeVar("T")

MALFORMED = (KeyError, TypeError, ValueError, AttributeError)  # what a wrong shape raises when it is parsed


class Everything:
    """Contains whatever is asked for: the master's descriptions are read for all pipelines."""

    def __contains__(self, item: object) -> bool:
        return True


ALL: Container[int] = Everything()
NONE: Container[int] = ()


class Reader:
    """Reads one account through `client`; every method raises KommoError (BadAnswer for a wrong shape)."""

    def __init__(self, client: Api) -> None:
        self.client = client

    def read(self, *, with_fields: bool, described: Container[int] = ALL) -> Snapshot:
        """The whole configuration; `described` are the pipelines whose descriptions are read, a request each."""
        pipelines = self.with_descriptions(self.pipelines(), described)
        if not with_fields:
            return Snapshot(pipelines)
        groups, fields = self.groups_and_fields(ENTITIES)
        return Snapshot(pipelines, groups, fields)

    def pipelines(self) -> tuple[Pipeline, ...]:
        items = self.client.get_all(endpoints.PIPELINES, "pipelines", page_size=None)
        return self._each(items, parse_pipeline)

    def with_descriptions(self, pipelines: Iterable[Pipeline], described: Container[int]) -> tuple[Pipeline, ...]:
        """An archived pipeline is not copied, so nothing more is asked about it."""
        return tuple(
            self._described(item) if item.id in described and not item.is_archive else item for item in pipelines
        )

    def groups_and_fields(self, entities: Iterable[str]) -> tuple[tuple[FieldGroup, ...], tuple[CustomField, ...]]:
        groups: list[FieldGroup] = []
        fields: list[CustomField] = []
        for entity in entities:
            groups += self.groups(entity)
            fields += self.fields(entity)
        return tuple(groups), with_membership(tuple(fields), tuple(groups))

    def groups(self, entity: str) -> tuple[FieldGroup, ...]:
        items = self.client.get_all(endpoints.field_groups(entity), "custom_field_groups", page_size=None)
        ours = [item for item in items if item.get("type") != LINKED_GROUP]
        return self._each(ours, lambda item: parse_group(entity, item))

    def fields(self, entity: str) -> tuple[CustomField, ...]:
        items = self.client.get_all(endpoints.custom_fields(entity), "custom_fields")
        return self._each(items, lambda item: parse_field(entity, item))

    def _described(self, pipeline: Pipeline) -> Pipeline:
        """Descriptions come with the list of stages only, kommo-api.md 4."""
        items = self.client.get_all(
            endpoints.statuses(pipeline.id), "statuses", {"with": "descriptions"}, page_size=None
        )
        texts = dict(self._each(items, lambda item: (int(item["id"]), parse_descriptions(item))))
        return replace(
            pipeline,
            stages=tuple(replace(stage, descriptions=texts.get(stage.id, ())) for stage in pipeline.stages),
        )

    def _each(self, items: Iterable[Json], parse: Callable[[Json], T]) -> tuple[T, ...]:
        try:
            return tuple(parse(item) for item in items)
        except MALFORMED as error:
            message = f"an item has an unexpected shape ({type(error).__name__}: {error})"
            raise BadAnswer(message, account=self.client.account) from error


def with_membership(fields: tuple[CustomField, ...], groups: tuple[FieldGroup, ...]) -> tuple[CustomField, ...]:
    """A field without a group id may still be listed by a group (`group_id` null is a CONFLICT, kommo-api.md 5.2)."""
    member = {(group.entity, field_id): group.id for group in groups for field_id in group.fields}
    return tuple(
        item if item.group_id else replace(item, group_id=member.get((item.entity, item.id))) for item in fields
    )


def parse_pipeline(item: Json) -> Pipeline:
    stages = tuple(parse_stage(stage) for stage in _listed(item["_embedded"]["statuses"]))
    return Pipeline(
        id=int(item["id"]),
        name=str(item["name"] or ""),
        sort=int(item.get("sort") or 0),
        is_main=bool(item.get("is_main")),
        is_unsorted_on=bool(item.get("is_unsorted_on", any(stage.type == INCOMING_TYPE for stage in stages))),
        is_archive=bool(item.get("is_archive")),
        stages=stages,
    )


def parse_stage(item: Json) -> Stage:
    """Incoming by its type; where none is told, by being locked (kommo-api.md 4.3)."""
    stage_id, editable = int(item["id"]), bool(item.get("is_editable", True))
    locked = INCOMING_TYPE if not editable and stage_id not in (WON, LOST) else 0
    return Stage(
        id=stage_id,
        name=str(item["name"] or ""),
        sort=int(item.get("sort") or 0),
        color=str(item.get("color") or "").lower(),
        type=locked if item.get("type") is None else int(item["type"]),
        editable=editable,
    )


def parse_descriptions(item: Json) -> tuple[Description, ...]:
    texts = item.get("descriptions") or (item.get("_embedded") or {}).get("descriptions") or ()
    if isinstance(texts, dict):
        texts = texts.values()
    return tuple(
        Description(int(text["id"]) if text.get("id") else None, str(text["level"]), str(text["description"]))
        for text in texts
        if text.get("description")
    )


def parse_group(entity: str, item: Json) -> FieldGroup:
    return FieldGroup(
        entity=entity,
        id=str(item["id"]),
        name=str(item["name"] or ""),
        sort=int(item.get("sort") or 0),
        is_predefined=bool(item.get("is_predefined", str(item["id"]) in PREDEFINED_GROUPS)),
        fields=tuple(int(field_id) for field_id in _listed(item.get("fields") or ())),
    )


def parse_field(entity: str, item: Json) -> CustomField:
    return CustomField(
        entity=entity,
        id=int(item["id"]),
        name=str(item["name"] or ""),
        type=str(item["type"]),
        sort=int(item.get("sort") or 0),
        code=item.get("code") or None,
        group_id=str(item["group_id"]) if item.get("group_id") else None,
        is_api_only=bool(item.get("is_api_only")),
        is_predefined=bool(item.get("is_predefined", item.get("is_deletable") is False)),
        enums=parse_enums(item.get("enums")),
        required_statuses=_statuses(item.get("required_statuses")),
        hidden_statuses=None if item.get("hidden_statuses") is None else _statuses(item["hidden_statuses"]),
        currency=item.get("currency") or None,
        remind=item.get("remind") or None,
        tracking_callback=item.get("tracking_callback") or None,
    )


def parse_enums(value: Any) -> tuple[Enum, ...]:
    """Options as a list, or as an object keyed by index (kommo-api.md 5.4); raises ValueError for anything else.

    An option that is overlooked would be missing from the next PATCH, and lost with the values that leads hold.
    """
    items = _listed(value or ())
    return tuple(
        Enum(int(enum["id"]), str(enum["value"]), int(enum.get("sort") or 0), enum.get("code") or None)
        for enum in items
    )


def _listed(value: Any) -> list[Any]:
    items = list(value) if value == () else items_of(value)
    if items is None:
        raise ValueError("no list")
    return items


def _statuses(value: Any) -> tuple[StageId, ...]:
    return tuple((int(status["pipeline_id"]), int(status["status_id"])) for status in _listed(value or ()))
