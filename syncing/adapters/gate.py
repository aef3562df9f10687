"""The gate in front of a promotion's client: shut until a plan is approved, then open for what that plan says."""

from collections.abc import Collection, Iterable, Mapping

from syncing.adapters import endpoints
from syncing.adapters.api import Json
from syncing.engine.changes import Action, Change
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref, field_key, local_id
from syncing.engine.resources.stages import LOST, WON
from syncing.engine.snapshot import Snapshot

Body = Json | Collection[Json] | None

# What a body may say beside its id, by kind and by the attributes of the change.
ALWAYS: Mapping[Kind, frozenset[str]] = {
    Kind.PIPELINE: frozenset({"name"}),
    Kind.STAGE: frozenset({"name", "color", "sort"}),  # they go together always, docs/kommo.md 4.1
    Kind.FIELD_GROUP: frozenset({"name", "sort", "fields"}),
    Kind.CUSTOM_FIELD: frozenset({"id", "currency", "enums"}),  # monetary fields and options demand them
}
SENT_AS = {"group": ("group_id", "sort"), "position": ("sort",), "enum_codes": ("enums",)}
ANYTHING: frozenset[str] = frozenset()


class Gate:
    """Says of every write to the master whether it may go out; `KommoClient` asks it. Deletions never."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}  # list -> the names of what may be made there
        self._inside: dict[str, set[str]] = {}  # new pipeline -> the names of its stages
        self._items: dict[str, frozenset[str]] = {}  # path of an item -> the keys of a body for it; none: all
        self._options: dict[str, frozenset[int]] = {}  # path of a field -> the options that must not be lost

    def open(self, plan: Plan, existing: Snapshot) -> None:
        """For exactly the changes of `plan`; `existing` is the master as it was read for it."""
        for change in plan.changes:
            if change.action is Action.CREATE:
                self._let_make(change, plan.match.keys)
            elif change.action is Action.UPDATE:
                self._let_change(change, plan.match.keys[change.ref])
        for item in existing.fields or ():
            path = _path(Kind.CUSTOM_FIELD, field_key(item.entity, item.id))
            self._options[path] = frozenset(enum.id for enum in item.enums)

    def admit(self, ref: Ref, key: str) -> None:
        """What was made through the gate may be put right through it; a pipeline may get the rest of its stages."""
        if ref.kind is not Kind.ENUM:
            self._items[_path(ref.kind, key)] = ANYTHING
        if ref.kind is Kind.PIPELINE:
            self._names[endpoints.statuses(key)] = self._inside.get(ref.key, set())

    def _let_make(self, change: Change, keys: Mapping[Ref, str]) -> None:
        parent = Ref(Kind.PIPELINE, change.ref.key.partition("/")[0])
        if change.ref.kind is Kind.STAGE and parent not in keys:
            self._inside.setdefault(parent.key, set()).add(change.name)
            return
        if change.ref.kind is Kind.PIPELINE:
            self._inside.setdefault(change.ref.key, set())
        self._names.setdefault(_list(change.ref.kind, keys.get(parent, change.ref.key)), set()).add(change.name)

    def _let_change(self, change: Change, key: str) -> None:
        sent = {part for name in change.fields for part in SENT_AS.get(name, (name,))}
        self._items[_path(change.ref.kind, key)] = ALWAYS[change.ref.kind] | sent

    # -- asked --

    def __call__(self, method: str, path: str, body: object) -> bool:
        if method == "POST" and isinstance(body, list):
            return bool(body) and all(self._may_make(path, item) for item in body)
        if method == "PATCH" and isinstance(body, list):
            return bool(body) and all(self._may_change(f"{path}/{item.get('id')}", item) for item in body)
        return method == "PATCH" and isinstance(body, dict) and self._may_change(path, body)

    def _may_make(self, path: str, item: Json) -> bool:
        if item.get("name") not in self._names.get(path, ()):
            return False
        if path != endpoints.PIPELINES:
            return True
        stages = item.get("_embedded", {}).get("statuses", [])
        return not item.get("is_main") and self._are_planned(stages)

    def _are_planned(self, stages: Iterable[Json]) -> bool:
        planned = {name for names in self._inside.values() for name in names}
        return all(stage.get("id") in (WON, LOST) or stage.get("name") in planned for stage in stages)

    def _may_change(self, path: str, body: Json) -> bool:
        allowed = self._items.get(path)
        if allowed is None or (allowed and not body.keys() <= allowed):
            return False
        kept = {enum.get("id") for enum in body.get("enums", ())}
        return "enums" not in body or self._options.get(path, frozenset()) <= kept


def _list(kind: Kind, key: str) -> str:
    """The path of the list that an item is made in; `key` of a stage is its pipeline's, of others only the entity
    counts."""
    if kind is Kind.PIPELINE:
        return endpoints.PIPELINES
    if kind is Kind.STAGE:
        return endpoints.statuses(key)
    entity = key.partition("/")[0]
    return endpoints.field_groups(entity) if kind is Kind.FIELD_GROUP else endpoints.custom_fields(entity)


def _path(kind: Kind, key: str) -> str:
    """The path of one item; fields are changed at that of their list, their ids are in the bodies."""
    parent = key.partition("/")[0]
    if kind is Kind.PIPELINE:
        return endpoints.pipeline(key)
    if kind is Kind.STAGE:
        return endpoints.status(parent, local_id(key))
    if kind is Kind.FIELD_GROUP:
        return endpoints.field_group(parent, local_id(key))
    return f"{endpoints.custom_fields(parent)}/{local_id(key)}"
