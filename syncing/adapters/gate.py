"""The gate in front of a promotion's client: shut until a plan is approved, then open for what that plan says."""

from collections.abc import Collection, Mapping

from syncing.adapters import endpoints
from syncing.adapters.api import Json
from syncing.engine.changes import Action
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref
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
    """Decides of every write to the master if it may go out; `KommoClient` asks it. Deletions never may."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}  # list -> the names of what may be created there
        self._inside: dict[str, set[str]] = {}  # new pipeline -> the names of its stages
        self._items: dict[str, frozenset[str]] = {}  # path of an item -> the keys of a body for it; none: all
        self._options: dict[str, frozenset[int]] = {}  # path of a field -> the options that must not be lost

    def open(self, plan: Plan, existing: Snapshot) -> None:
        """Opens for exactly the changes of `plan`; `existing` is the master as it was read for it."""
        keys = plan.match.keys
        for change in plan.changes:
            kind, (parent, _, _) = change.ref.kind, change.ref.key.partition("/")
            pipeline = Ref(Kind.PIPELINE, parent)
            if change.action is Action.UPDATE:
                sent = {part for name in change.fields for part in SENT_AS.get(name, (name,))}
                self._items[endpoints.item(kind, keys[change.ref])] = ALWAYS[kind] | sent
            elif change.action is Action.CREATE and kind is Kind.STAGE and pipeline not in keys:
                self._inside.setdefault(parent, set()).add(change.name)
            elif change.action is Action.CREATE:
                if kind is Kind.PIPELINE:
                    self._inside.setdefault(parent, set())
                self._names.setdefault(endpoints.list_of(kind, keys.get(pipeline, parent)), set()).add(change.name)
        for item in existing.fields or ():
            path = endpoints.custom_field(item.entity, item.id)
            self._options[path] = frozenset(enum.id for enum in item.enums)

    def admit(self, ref: Ref, key: str) -> None:
        """Admits changes of what was created through the gate; a pipeline may get the rest of its stages."""
        if ref.kind is not Kind.ENUM:
            self._items[endpoints.item(ref.kind, key)] = ANYTHING
        if ref.kind is Kind.PIPELINE:
            self._names[endpoints.statuses(key)] = self._inside.get(ref.key, set())

    # -- asked --

    def __call__(self, method: str, path: str, body: object) -> bool:
        if method == "POST" and isinstance(body, list):
            return bool(body) and all(self._may_create(path, item) for item in body)
        if method == "PATCH" and isinstance(body, list):
            return bool(body) and all(self._may_change(f"{path}/{item.get('id')}", item) for item in body)
        return method == "PATCH" and isinstance(body, dict) and self._may_change(path, body)

    def _may_create(self, path: str, item: Json) -> bool:
        if item.get("name") not in self._names.get(path, ()):
            return False
        if path != endpoints.PIPELINES:
            return True
        planned = {name for names in self._inside.values() for name in names}
        stages = item.get("_embedded", {}).get("statuses", [])
        are_planned = all(stage.get("id") in (WON, LOST) or stage.get("name") in planned for stage in stages)
        return not item.get("is_main") and are_planned

    def _may_change(self, path: str, body: Json) -> bool:
        allowed = self._items.get(path)
        if allowed is None or (allowed and not body.keys() <= allowed):
            return False
        kept = {enum.get("id") for enum in body.get("enums", ())}
        return "enums" not in body or self._options.get(path, frozenset()) <= kept
