"""Hold back items of an odd shape, with everything that can still be read of them."""

from typing import Any

from accounts.kommo.texts import storable
from syncing.adapters.api import Json
from syncing.adapters.shapes import OddShape, listed, number, optional_text
from syncing.engine.candidates import signs_of_pipeline, signs_of_stage
from syncing.engine.held_items import HeldItem
from syncing.engine.refs import Kind, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.field_groups import PREDEFINED_GROUPS
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import INCOMING_TYPE, LOST, WON


def held_pipeline(item: Any, error: OddShape, at: int) -> HeldItem:
    item = _fields_of(item)
    key = _key(item, pipeline_key)
    try:
        stages = listed(_fields_of(item.get("_embedded")), "statuses")
    except OddShape:
        stages = []
    names = [_text(_fields_of(stage), "name") for stage in stages]
    signs = signs_of_pipeline(name for name in names if name is not None)
    return HeldItem(
        Kind.PIPELINE, key, "", _text(item, "name"), "", *_place(error, key, f"pipelines.{at}"), signs=signs
    )


def held_stage(pipeline: Pipeline, item: Any, error: OddShape) -> HeldItem:
    item, within = _fields_of(item), pipeline_key(pipeline.id)
    key = _key(item, lambda number: stage_key(pipeline.id, number))
    stage_id = _number(item, "id")
    natural = None
    if stage_id in (WON, LOST):
        natural = ("system", str(stage_id))
    elif _number(item, "type") == INCOMING_TYPE:
        natural = ("system", "incoming")
    color = _text(item, "color")
    return HeldItem(
        Kind.STAGE, key, within, _text(item, "name"), pipeline.name, error.path, error.problem,
        type="system" if natural else "", natural=natural, signs=() if color is None else signs_of_stage(color),
    )  # fmt: skip


def held_group(entity: str, item: Any, error: OddShape, at: int) -> HeldItem:
    item = _fields_of(item)
    group_id = _text(item, "id")
    key = group_key(entity, group_id) if group_id else ""
    natural = ("id", group_id) if group_id in PREDEFINED_GROUPS else None
    return HeldItem(
        Kind.FIELD_GROUP, key, entity, _text(item, "name"), entity, *_place(error, key, f"custom_field_groups.{at}"),
        type="", natural=natural,
    )  # fmt: skip


def held_field(entity: str, item: Any, error: OddShape, at: int) -> HeldItem:
    item = _fields_of(item)
    key, code = _key(item, lambda number: field_key(entity, number)), _text(item, "code")
    return HeldItem(
        Kind.CUSTOM_FIELD, key, entity, _text(item, "name"), entity, *_place(error, key, f"custom_fields.{at}"),
        type=_text(item, "type"), is_predefined=bool(item.get("is_predefined", item.get("is_deletable") is False)),
        natural=("code", code) if code else None,
    )  # fmt: skip


def _place(error: OddShape, key: str, outside: str) -> tuple[str, str]:
    """Returns path and problem; of an item without an id the path through the list."""
    return (error if key else error.inside(outside)).path, error.problem


def _fields_of(item: Any) -> Json:
    return item if isinstance(item, dict) else {}


def _key(item: Json, key_of: Any) -> str:
    item_id = _number(item, "id")
    return "" if item_id is None else str(key_of(item_id))


def _number(item: Json, key: str) -> int | None:
    try:
        return number(item, key)
    except OddShape:
        return None


def _text(item: Json, key: str) -> str | None:
    """Returns a text as far as it can be stored: for people, and to tell it from what is called otherwise."""
    value = item.get(key)
    try:
        return storable(value) if isinstance(value, str) else optional_text(item, key)
    except OddShape:
        return None
