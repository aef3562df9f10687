"""Engine values for tests, with defaults for what a test does not speak of."""

from typing import Any

from syncing.engine.resources.custom_fields import CustomField, Enum
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import INCOMING_TYPE, LOST, WON, Stage
from syncing.engine.snapshot import Snapshot


def stage(number: int, name: str, sort: int = 0, **facts: Any) -> Stage:
    return Stage(**{
        "id": number, "name": name, "sort": sort or number, "color": "#fffeb2", "type": 0, "editable": True, **facts
    })  # fmt: skip


def system_stages(number: int) -> tuple[Stage, ...]:
    return (
        stage(number, "Incoming leads", 10, type=INCOMING_TYPE, editable=False, color="#c1c1c1"),
        stage(WON, "Closed - won", 10_000, editable=False, color="#ccff66"),
        stage(LOST, "Closed - lost", 11_000, editable=False, color="#d5d8db"),
    )


def pipeline(number: int, name: str, *stages: Stage, **facts: Any) -> Pipeline:
    known = {
        "id": number, "name": name, "sort": number, "is_main": False, "is_unsorted_on": True, "is_archive": False,
        "stages": (*system_stages(number * 1000), *stages),
    }  # fmt: skip
    return Pipeline(**{**known, **facts})


def group(group_id: str, name: str = "", entity: str = "leads", **facts: Any) -> FieldGroup:
    predefined = group_id in ("default", "statistic")
    return FieldGroup(**{
        "entity": entity, "id": group_id, "name": name or group_id, "sort": 0, "is_predefined": predefined,
        "fields": (), **facts,
    })  # fmt: skip


def field(number: int, name: str, type_: str = "text", entity: str = "leads", **facts: Any) -> CustomField:
    values = facts.pop("enums", ())
    enums = tuple(
        value if isinstance(value, Enum) else Enum(number * 100 + at, value, 10 * at)
        for at, value in enumerate(values, start=1)
    )
    return CustomField(**{
        "entity": entity, "id": number, "name": name, "type": type_, "sort": number, "enums": enums, **facts
    })  # fmt: skip


def snapshot(*items: Pipeline | FieldGroup | CustomField) -> Snapshot:
    """The items as an account; with a main group for each entity."""
    groups = tuple(item for item in items if isinstance(item, FieldGroup))
    mains = tuple(group("default", "Main", entity) for entity in ("leads", "contacts", "companies"))
    return Snapshot(
        tuple(item for item in items if isinstance(item, Pipeline)),
        mains + groups,
        tuple(item for item in items if isinstance(item, CustomField)),
    )
