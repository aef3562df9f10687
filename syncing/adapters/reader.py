"""Read an account: Kommo's JSON to engine values; what is incomplete raises, it never looks like "nothing there".

One item of an odd shape is held back, and the rest goes on; the account's lists themselves have to be whole.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from accounts.kommo.errors import BadAnswer
from syncing.adapters import endpoints
from syncing.adapters.api import Api, Json
from syncing.adapters.oddities import held_field, held_group, held_pipeline, held_stage
from syncing.adapters.shapes import OddShape, each, fields_of, listed, number, optional_text, text
from syncing.engine.held import Held
from syncing.engine.refs import Kind
from syncing.engine.resources.custom_fields import ENTITIES, ENUM_TYPES, CustomField, Enum, StageId
from syncing.engine.resources.field_groups import LINKED_GROUP, PREDEFINED_GROUPS, FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import INCOMING_TYPE, LOST, WON, Description, Stage
from syncing.engine.snapshot import Snapshot

T = TypeVar("T")

ODD_ITEMS = 4  # so many, and more than half of a list, are no odd items but a list that nobody can read
MALFORMED = (KeyError, TypeError, ValueError, AttributeError)  # what a wrong shape raises when it is parsed


class Everything:
    """Contains whatever is asked for: the master's descriptions are read for all pipelines."""

    def __contains__(self, item: object) -> bool:
        return True


ALL: Container[int] = Everything()
NONE: Container[int] = ()


class Reader:
    """Reads one account through `client`; every method raises KommoError.

    `held`: what could not be read of the lists that were, each as it was read last.
    """

    def __init__(self, client: Api) -> None:
        self.client = client
        self._held: dict[tuple[Kind, str], list[Held]] = {}  # by kind and entity, or pipeline

    @property
    def held(self) -> tuple[Held, ...]:
        in_order = (self._held[key] for key in sorted(self._held))  # not as they were read: a second reading is equal
        return tuple(item for held in in_order for item in held)

    def read(self, *, with_fields: bool, described: Container[int] = ALL) -> Snapshot:
        """The whole configuration; `described` are the pipelines whose descriptions are read, a request each."""
        pipelines = self.with_descriptions(self.pipelines(), described)
        if not with_fields:
            return Snapshot(pipelines, held=self.held)
        groups, fields = self.groups_and_fields(ENTITIES)
        return Snapshot(pipelines, groups, fields, self.held)

    def pipelines(self) -> tuple[Pipeline, ...]:
        items = self.client.get_all(endpoints.PIPELINES, "pipelines", page_size=None)
        self._held = {key: held for key, held in self._held.items() if key[0] not in (Kind.PIPELINE, Kind.STAGE)}
        return self._each(Kind.PIPELINE, "", items, self._pipeline, held_pipeline)

    def _pipeline(self, item: Json) -> Pipeline:
        """With those of its stages that can be read."""
        raw = _statuses_of(item)
        bare = parse_pipeline({**item, "_embedded": {"statuses": []}})

        def hold(stage: Any, error: OddShape, at: int) -> Held:
            return held_stage(bare, stage, error.inside(f"_embedded.statuses.{at}"))

        stages = self._each(Kind.STAGE, str(bare.id), raw, parse_stage, hold)
        return replace(bare, stages=stages, is_unsorted_on=_is_unsorted_on(item, stages))

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

        def hold(item: Any, error: OddShape, at: int) -> Held:
            return held_group(entity, item, error, at)

        return self._each(
            Kind.FIELD_GROUP, entity, ordinary_groups(items), lambda item: parse_group(entity, item), hold
        )

    def fields(self, entity: str) -> tuple[CustomField, ...]:
        items = self.client.get_all(endpoints.custom_fields(entity), "custom_fields")

        def hold(item: Any, error: OddShape, at: int) -> Held:
            return held_field(entity, item, error, at)

        return self._each(Kind.CUSTOM_FIELD, entity, items, lambda item: parse_field(entity, item), hold)

    def _described(self, pipeline: Pipeline) -> Pipeline:
        """Descriptions come with the list of stages only, docs/kommo.md 4. A stage with odd ones is held back."""
        items = self.client.get_all(
            endpoints.statuses(pipeline.id), "statuses", {"with": "descriptions"}, page_size=None
        )
        texts: dict[int, tuple[Description, ...] | OddShape] = {}
        unknown: tuple[Description, ...] | OddShape = ()  # of a stage that the list does not show
        for item in items:
            try:
                stage_id = number(fields_of(item), "id")
            except OddShape as error:
                unknown = error
                continue
            try:
                texts[stage_id] = parse_descriptions(item)
            except OddShape as error:
                texts[stage_id] = error
        stages = []
        for stage in pipeline.stages:
            found = texts.get(stage.id, unknown)
            if isinstance(found, OddShape):
                raw = {"id": stage.id, "name": stage.name, "color": stage.color, "type": stage.type}
                self._held[Kind.STAGE, str(pipeline.id)].append(held_stage(pipeline, raw, found))
            else:
                stages.append(replace(stage, descriptions=found))
        return replace(pipeline, stages=tuple(stages))

    def _each(
        self,
        kind: Kind,
        within: str,
        items: Sequence[Any],
        parse: Callable[[Json], T],
        hold: Callable[[Any, OddShape, int], Held],
    ) -> tuple[T, ...]:
        """The items that can be read; the others are held back."""
        parsed, held = [], []
        for at, item in enumerate(items):
            try:
                parsed.append(parse(fields_of(item)))
            except OddShape as error:
                held.append(hold(item, error, at))
        if kind is not Kind.STAGE and len(held) >= ODD_ITEMS and len(held) > len(parsed):
            message = f"{len(held)} of {len(items)} items have an unexpected shape, one with {held[0].place}"
            raise BadAnswer(message, account=self.client.account)
        self._held[kind, within] = held
        return tuple(parsed)


def ordinary_groups(items: Iterable[Any]) -> list[Any]:
    """Without those of products."""
    return [item for item in items if not isinstance(item, dict) or item.get("type") != LINKED_GROUP]


def with_membership(fields: tuple[CustomField, ...], groups: tuple[FieldGroup, ...]) -> tuple[CustomField, ...]:
    """A field without a group id may still be listed by a group (of `group_id` null: docs/kommo.md 5.2)."""
    member = {(group.entity, field_id): group.id for group in groups for field_id in group.fields}
    return tuple(
        item if item.group_id else replace(item, group_id=member.get((item.entity, item.id))) for item in fields
    )


def parse_pipeline(item: Json) -> Pipeline:
    """Raises OddShape, as all of these."""
    raw = _statuses_of(fields_of(item))
    try:
        stages = each({"statuses": raw}, "statuses", parse_stage)
    except OddShape as error:
        raise error.inside("_embedded") from error
    return Pipeline(
        id=number(item, "id"),
        name=text(item, "name"),
        sort=number(item, "sort", 0),
        is_main=bool(item.get("is_main")),
        is_unsorted_on=_is_unsorted_on(item, stages),
        is_archive=bool(item.get("is_archive")),
        stages=stages,
    )


def _statuses_of(item: Json) -> list[Any]:
    """The stages of a pipeline as they came; every pipeline has some, so none at all is odd."""
    embedded = item.get("_embedded")
    if not isinstance(embedded, dict) or embedded.get("statuses") is None:
        raise OddShape("_embedded.statuses", "is missing")
    try:
        return listed(embedded, "statuses")
    except OddShape as error:
        raise error.inside("_embedded") from error


def _is_unsorted_on(item: Json, stages: Iterable[Stage]) -> bool:
    return _flag(item, "is_unsorted_on", default=any(stage.type == INCOMING_TYPE for stage in stages))


def _flag(item: Json, key: str, *, default: bool) -> bool:
    """Absent and null are the same: nobody knows."""
    value = item.get(key)
    return default if value is None else bool(value)


def parse_stage(item: Json) -> Stage:
    """Incoming by its type; where none is told, by being locked (docs/kommo.md 4.3).

    A system stage needs no name: it is called in the account's language.
    """
    stage_id, editable = number(fields_of(item), "id"), _flag(item, "is_editable", default=True)
    locked = INCOMING_TYPE if not editable and stage_id not in (WON, LOST) else 0
    type_ = number(item, "type", locked)
    is_system = stage_id in (WON, LOST) or type_ == INCOMING_TYPE
    return Stage(
        id=stage_id,
        name=(optional_text(item, "name") or "") if is_system else text(item, "name"),
        sort=number(item, "sort", 0),
        color=(optional_text(item, "color") or "").lower(),
        type=type_,
        editable=editable,
    )


def parse_descriptions(item: Json) -> tuple[Description, ...]:
    """One without a text is none."""
    embedded = item.get("_embedded")
    holder = item if item.get("descriptions") or not isinstance(embedded, dict) else embedded
    texts = holder.get("descriptions")
    if isinstance(texts, dict) and all(isinstance(value, dict) for value in texts.values()):
        holder = {"descriptions": list(texts.values())}  # by level, or by index
    return tuple(text for text in each(holder, "descriptions", _description) if text.text)


def _description(item: Any) -> Description:
    item = fields_of(item)
    told = optional_text(item, "description") or ""
    level = text(item, "level") if told else ""
    return Description(number(item, "id", 0) or None, level, told)


def parse_group(entity: str, item: Json) -> FieldGroup:
    """Kommo's own group needs no name, as a system stage."""
    group_id = text(fields_of(item), "id")
    is_predefined = _flag(item, "is_predefined", default=group_id in PREDEFINED_GROUPS)
    return FieldGroup(
        entity=entity,
        id=group_id,
        name=(optional_text(item, "name") or "") if is_predefined else text(item, "name"),
        sort=number(item, "sort", 0),
        is_predefined=is_predefined,
        fields=each(item, "fields", lambda value: number({"id": value}, "id")),
    )


def parse_field(entity: str, item: Json) -> CustomField:
    """A select field whose options read null is odd: nobody knows which it has."""
    type_ = text(fields_of(item), "type")
    if type_ in ENUM_TYPES and item.get("enums") is None:
        raise OddShape("enums", "is missing")
    return CustomField(
        entity=entity,
        id=number(item, "id"),
        name=text(item, "name"),
        type=type_,
        sort=number(item, "sort", 0),
        code=optional_text(item, "code") or None,
        group_id=optional_text(item, "group_id") if item.get("group_id") else None,
        is_api_only=bool(item.get("is_api_only")),
        is_predefined=_flag(item, "is_predefined", default=item.get("is_deletable") is False),
        enums=each(item, "enums", _enum),
        required_statuses=each(item, "required_statuses", _status),
        hidden_statuses=None if item.get("hidden_statuses") is None else each(item, "hidden_statuses", _status),
        currency=optional_text(item, "currency") or None,
        remind=optional_text(item, "remind") or None,
        tracking_callback=optional_text(item, "tracking_callback") or None,
    )


def parse_enums(value: Any) -> tuple[Enum, ...]:
    """Options as a list, or as an object keyed by index (docs/kommo.md 5.4).

    An option that is overlooked would be missing from the next PATCH, and lost with the values that leads hold.
    """
    return each({"enums": value}, "enums", _enum)


def _enum(item: Any) -> Enum:
    """A value that reads null is not known."""
    item = fields_of(item)
    if "value" not in item:
        raise OddShape("value", "is missing")
    value, code = optional_text(item, "value"), optional_text(item, "code")
    return Enum(number(item, "id"), value, number(item, "sort", 0), code or None)


def _status(item: Any) -> StageId:
    item = fields_of(item)
    return number(item, "pipeline_id"), number(item, "status_id")
