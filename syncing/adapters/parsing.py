"""Parse Kommo's JSON of one item; each parser raises OddShape."""

from collections.abc import Iterable
from typing import Any

from syncing.adapters.api import Json
from syncing.adapters.shapes import MISSING, OddShape, each, fields_of, listed, number, optional_text, text
from syncing.engine.resources.custom_fields import ENUM_TYPES, CustomField, Enum, StageId
from syncing.engine.resources.field_groups import LINKED_GROUP, PREDEFINED_GROUPS, FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import INCOMING_TYPE, LOST, WON, Description, Stage

MALFORMED = (KeyError, TypeError, ValueError, AttributeError)  # what a wrong shape raises when it is parsed


def ordinary_groups(items: Iterable[Any]) -> list[Any]:
    """Leaves out the groups of products."""
    return [item for item in items if not isinstance(item, dict) or item.get("type") != LINKED_GROUP]


def parse_pipeline(item: Json) -> Pipeline:
    """Parses a pipeline with its stages."""
    raw = raw_stages(fields_of(item))
    try:
        stages = each({"statuses": raw}, "statuses", parse_stage)
    except OddShape as error:
        raise error.inside("_embedded") from error
    return Pipeline(
        id=number(item, "id"),
        name=text(item, "name"),
        sort=number(item, "sort", 0),
        is_main=bool(item.get("is_main")),
        is_unsorted_on=is_unsorted_on(item, stages),
        is_archive=bool(item.get("is_archive")),
        stages=stages,
    )


def raw_stages(item: Json) -> list[Any]:
    """Returns the stages of a pipeline as they came; every pipeline has some, so none at all is odd."""
    embedded = item.get("_embedded")
    if not isinstance(embedded, dict) or embedded.get("statuses") is None:
        raise OddShape("_embedded.statuses", MISSING)
    try:
        return listed(embedded, "statuses")
    except OddShape as error:
        raise error.inside("_embedded") from error


def is_unsorted_on(item: Json, stages: Iterable[Stage]) -> bool:
    return _flag(item, "is_unsorted_on", default=any(stage.type == INCOMING_TYPE for stage in stages))


def _flag(item: Json, key: str, *, default: bool) -> bool:
    """Returns a yes or no; absent and null are the same: nobody knows."""
    value = item.get(key)
    return default if value is None else bool(value)


def parse_stage(item: Json) -> Stage:
    """Parses a stage: incoming by its type, or without one by being locked (docs/kommo.md 4.3).

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
    """Parses the descriptions of a stage; one without a text is none."""
    embedded = item.get("_embedded")
    holder = item if item.get("descriptions") or not isinstance(embedded, dict) else embedded
    texts = holder.get("descriptions")
    if isinstance(texts, dict) and all(isinstance(value, dict) for value in texts.values()):
        holder = {"descriptions": list(texts.values())}  # by level, or by index
    return tuple(text for text in each(holder, "descriptions", _description) if text.text)


def _description(item: Any) -> Description:
    item = fields_of(item)
    words = optional_text(item, "description") or ""
    level = text(item, "level") if words else ""
    return Description(number(item, "id", 0) or None, level, words)


def parse_group(entity: str, item: Json) -> FieldGroup:
    """Parses a group; Kommo's own needs no name, as a system stage."""
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
    """Parses a field; options come as a list, or as an object keyed by index (docs/kommo.md 5.4).

    A select field whose options read null is odd, as nobody knows which it has: an option that is overlooked would be
    missing from the next PATCH, and lost with the values that leads hold.
    """
    type_ = text(fields_of(item), "type")
    if type_ in ENUM_TYPES and item.get("enums") is None:
        raise OddShape("enums", MISSING)
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


def _enum(item: Any) -> Enum:
    """Parses an option; a value that reads null is not known."""
    item = fields_of(item)
    if "value" not in item:
        raise OddShape("value", MISSING)
    value, code = optional_text(item, "value"), optional_text(item, "code")
    return Enum(number(item, "id"), value, number(item, "sort", 0), code or None)


def _status(item: Any) -> StageId:
    item = fields_of(item)
    return number(item, "pipeline_id"), number(item, "status_id")
