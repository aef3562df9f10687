"""Plan: what must change so that the slave has what the master has; ordered, without a single id of the slave."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from syncing.engine.changes import Action, Change, Extra, Manual
from syncing.engine.extras import find_extras
from syncing.engine.match import Conflict, Match, match
from syncing.engine.normalise import State, normalise, own_names
from syncing.engine.order import moves
from syncing.engine.refs import Kind, Ref, Scope, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CREATABLE_TYPES, CustomField
from syncing.engine.resources.pipelines import Pipeline, place
from syncing.engine.resources.stages import Stage
from syncing.engine.snapshot import Snapshot

NO_HIDING = "This account has no fields that are hidden by stage (a feature of its plan)."
NOT_OURS = "Kommo makes it itself and it is not in this account."


@dataclass(frozen=True)
class Plan:
    """The answer; `desired` and `match` are what the writer needs to carry it out."""

    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    extras: tuple[Extra, ...]
    manual: tuple[Manual, ...]
    desired: State
    match: Match
    orders: Mapping[str, tuple[Ref, ...]]  # list name -> the order to reach, items to create among them
    shared_stages: frozenset[Ref]  # in these the master decides what is required; in the others the slave

    @property
    def digest(self) -> str:
        """Equal for plans that do the same, in whatever account."""
        rows = [[change.action, str(change.ref), change.name, change.fields] for change in self.changes]
        text = json.dumps(rows, sort_keys=True, ensure_ascii=False, default=list)
        return hashlib.sha256(text.encode()).hexdigest()


def make_plan(desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str], scope: Scope) -> Plan:
    """Compare the master (`desired`) with a slave (`existing`); `known` are the slave's id mappings."""
    return _Planner(desired, existing, match(desired, existing, known), scope).plan()


class _Planner:
    def __init__(self, desired: Snapshot, existing: Snapshot, found: Match, scope: Scope) -> None:
        self.desired, self.existing, self.found, self.scope = desired, existing, found, scope
        self.our_fields = {field_key(item.entity, item.id): item for item in desired.fields or ()}
        self.their_fields = {field_key(item.entity, item.id): item for item in existing.fields or ()}
        self.conflicts = list(found.conflicts)
        self.manual: list[Manual] = []
        self._refuse_archived()
        self.blocked = {conflict.ref for conflict in self.conflicts}
        self.shared = frozenset(self._shared_stages())
        self.ours = self._writable(normalise(desired, own_names, self.shared))
        self.theirs = self._in_our_words(
            normalise(existing, lambda kind, key: found.names.get((kind, key)), self.shared)
        )
        self.positions: dict[Ref, tuple[int, int]] = {}
        self.orders: dict[str, tuple[Ref, ...]] = {}
        self._order()
        self.changes: list[Change] = []

    def plan(self) -> Plan:
        if self.scope.writes_pipelines:
            for pipeline in self._ordered_pipelines():
                self._plan_pipeline(pipeline)
        if self.scope.writes_fields:
            for group in self.desired.groups or ():
                self._plan_item(Ref(Kind.FIELD_GROUP, group_key(group.entity, group.id)))
            for item in sorted(self.desired.fields or (), key=lambda item: (item.entity, item.sort, item.id)):
                self._plan_field(item)
        extras = tuple(find_extras(self.existing, self.found, self.scope))
        conflicts = tuple(conflict for conflict in self.conflicts if self._in_scope(conflict.ref.kind))
        changes, manual = tuple(self.changes), tuple(self.manual)
        return Plan(changes, conflicts, extras, manual, self.ours, self.found, self.orders, self.shared)

    def _in_scope(self, kind: Kind) -> bool:
        of_pipelines = kind in (Kind.PIPELINE, Kind.STAGE)
        return self.scope.writes_pipelines if of_pipelines else self.scope.writes_fields

    def _refuse_archived(self) -> None:
        archived = {pipeline_key(pipeline.id) for pipeline in self.existing.pipelines if pipeline.is_archive}
        for pipeline in self.desired.pipelines:
            ref = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            if not pipeline.is_archive and self.found.keys.get(ref) in archived:
                message = "It is archived in the account; the API cannot restore it, Kommo's settings can."
                self.conflicts.append(Conflict(ref, pipeline.name, "", message))

    def _ordered_pipelines(self) -> list[Pipeline]:
        return sorted(self.desired.pipelines, key=place)

    def _shared_stages(self) -> Iterator[Ref]:
        """The stages that both accounts have, or will have after this plan."""
        for pipeline, stage in self.desired.stages():
            parent = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            ref = Ref(Kind.STAGE, stage_key(pipeline.id, stage.id))
            if ref in self.blocked or parent in self.blocked:
                continue
            creatable = self.scope.writes_pipelines and not pipeline.is_archive
            if ref in self.found.keys or (creatable and (parent not in self.found.keys or not stage.is_system)):
                yield ref

    def _in_our_words(self, theirs: State) -> State:
        """What Kommo names in each account's language is called by the master's names: equal plans read alike."""
        system = {ref: self.ours.labels[ref] for ref, item in theirs.items.items() if item.system}
        return replace(theirs, labels={**theirs.labels, **system})

    def _writable(self, ours: State) -> State:
        """Without hidden statuses where the account has no such feature: there they are an unknown key (5.2)."""
        if any(item.hidden_statuses is not None for item in self.existing.fields or ()):
            return ours
        for ref, item in ours.items.items():
            if item.attributes.get("hidden_statuses") and ref not in self.blocked:
                self.manual.append(Manual(str(ref.kind), item.name, item.parent, NO_HIDING))
        items = {
            ref: replace(item, attributes={k: v for k, v in item.attributes.items() if k != "hidden_statuses"})
            for ref, item in ours.items.items()
        }
        return replace(ours, items=items)

    def _order(self) -> None:
        """Which items must move (`positions`: old and new place, 1-based), and the order to reach (`orders`)."""
        for name, sequence in self.ours.sequences.items():
            target = [ref for ref in sequence if ref not in self.blocked]
            here = set(target)
            current = [ref for ref in self.theirs.sequences.get(name, ()) if ref in here]
            anchors, loose = self._anchors(current, target)
            self.orders[name] = tuple(ref for ref in target if ref not in loose)
            current = [ref for ref in current if ref not in loose]
            here = set(current)
            wanted = [ref for ref in self.orders[name] if ref in here]
            for ref in moves(current, wanted, anchors):
                self.positions[ref] = (current.index(ref) + 1, wanted.index(ref) + 1)

    def _anchors(self, current: Sequence[Ref], target: Sequence[Ref]) -> tuple[set[Ref], frozenset[Ref]]:
        """What the others are moved around: predefined fields, and the main pipeline, which Kommo numbers itself
        (kommo-api.md 4.1). Those that stand in another order than the master's are left out of the comparison."""
        fixed = [ref for ref in current if self._is_anchor(ref)]
        here = set(fixed)
        loose = moves(fixed, [ref for ref in target if ref in here])
        return here - loose, loose

    def _is_anchor(self, ref: Ref) -> bool:
        return self.theirs.items[ref].system or bool(self.theirs.items[ref].attributes.get("is_main"))

    # -- one item --

    def _plan_pipeline(self, pipeline: Pipeline) -> None:
        ref = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
        if ref in self.blocked:
            return
        if pipeline.is_archive:
            self._manual(ref, "It is archived in the master; the API cannot archive, so it is not copied.")
            return
        self._plan_item(ref)
        for stage in sorted(pipeline.stages, key=lambda stage: (stage.sort, stage.id)):
            self._plan_stage(ref, Ref(Kind.STAGE, stage_key(pipeline.id, stage.id)), stage)

    def _plan_stage(self, parent: Ref, ref: Ref, stage: Stage) -> None:
        if not stage.is_system:
            self._plan_item(ref)
            return
        theirs = self.theirs.items.get(ref)
        wanted = self.ours.items[ref].attributes
        named_at_creation = parent not in self.found.keys and stage.natural_id != "incoming"
        if "name" in wanted and not named_at_creation and (theirs is None or theirs.name != stage.name):
            self._manual(ref, f"The master calls this system stage {stage.name!r}; rename it in Kommo's settings.")
        if "descriptions" in wanted and (theirs is None or self._differences(ref).get("descriptions")):
            self._manual(ref, "The descriptions of a system stage cannot be written; copy them in Kommo's settings.")

    def _plan_field(self, item: CustomField) -> None:
        ref = Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id))
        if ref in self.blocked:
            return
        group = self.ours.items[ref].attributes.get("group")
        if ref not in self.found.keys:
            if self.ours.items[ref].system:
                supported = item.type in CREATABLE_TYPES[item.entity] or item.is_predefined
                self._manual(ref, NOT_OURS if supported else f"The API cannot create {item.type!r} fields here.")
                return
            if group in self.blocked:
                label = self.ours.labels.get(group, "")
                self.conflicts.append(Conflict(ref, item.name, item.entity, f"Its group {label!r} is in conflict."))
                return
        elif item.code and self.their_fields[self.found.keys[ref]].code != item.code:
            self._manual(ref, f"Its code is {item.code!r} in the master; a code can only be given at creation.")
        self._plan_item(ref)

    def _plan_item(self, ref: Ref) -> None:
        item = self.ours.items[ref]
        if ref in self.blocked:
            return
        if ref not in self.found.keys:
            if item.system:
                self._manual(ref, NOT_OURS)
            else:
                self.changes.append(Change(Action.CREATE, ref, item.name, item.parent, self._shown_new(ref)))
            return
        if fields := self._differences(ref):
            self.changes.append(Change(Action.UPDATE, ref, item.name, item.parent, fields))

    def _manual(self, ref: Ref, message: str) -> None:
        item = self.ours.items[ref]
        self.manual.append(Manual(str(ref.kind), item.name, item.parent, message))

    # -- differences --

    def _comparable(self, ref: Ref) -> dict[str, Any]:
        """The attributes of the master's item that can be brought about in this account."""
        attributes = dict(self.ours.items[ref].attributes)
        if not self._reachable_group(attributes.get("group")):
            attributes.pop("group", None)
        if any(other.kind is Kind.ENUM and other.key.rpartition("/")[0] == ref.key for other in self.blocked):
            attributes.pop("enums", None)
            attributes.pop("enum_codes", None)
        return attributes

    def _reachable_group(self, group: Ref | None) -> bool:
        item = self.ours.items.get(group) if group else None
        return item is not None and group not in self.blocked and (group in self.found.keys or not item.system)

    def _differences(self, ref: Ref) -> dict[str, tuple[Any, Any]]:
        theirs = self.theirs.items[ref]
        fields: dict[str, tuple[Any, Any]] = {}
        for name, new in self._comparable(ref).items():
            old = theirs.attributes.get(name)
            if name == "enum_codes":
                new = self._codes_to_add(new, old or {})
            if isinstance(new, Mapping):
                if not self._mapping_differs(old or {}, new):
                    continue
            elif (old or None) == (new or None):
                continue
            fields[name] = (_show(old, self.theirs), _show(new, self.ours))
        if ref in self.positions:
            fields["position"] = self.positions[ref]
        return fields

    def _codes_to_add(self, ours: Mapping[Ref, str], theirs: Mapping[Ref, str]) -> dict[Ref, str]:
        """Another code of the slave's option is kept: its own programs may know the option by it."""
        return {option: code for option, code in ours.items() if option in self.found.keys and option not in theirs}

    @staticmethod
    def _mapping_differs(old: Mapping[Any, str], new: Mapping[Any, str]) -> bool:
        """Only what the master has counts: extra options and description levels of the slave are kept."""
        if {key: value for key, value in old.items() if key in new} != new:
            return True
        ordered = all(isinstance(key, Ref) for key in new)  # options have an order, description levels none
        return ordered and [key for key in old if key in new] != list(new)

    def _shown_new(self, ref: Ref) -> dict[str, tuple[Any, Any]]:
        attributes = {name: value for name, value in self._comparable(ref).items() if name != "name" and value}
        if ref.kind is Kind.CUSTOM_FIELD:
            attributes = {"type": self.our_fields[ref.key].type, **attributes}
        return {name: (None, _show(value, self.ours)) for name, value in attributes.items()}


def _show(value: Any, state: State) -> Any:
    """A value in words: refs by their names, options by their values."""
    if isinstance(value, Ref):
        return state.labels.get(value, "another group")
    if isinstance(value, frozenset):
        return sorted(state.labels.get(ref, ref.key) for ref in value)
    if isinstance(value, Mapping):
        return list(value.values()) if all(isinstance(key, Ref) for key in value) else dict(value)
    return value
