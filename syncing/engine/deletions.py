"""Deletions: which of the items that only the slave has may go, by the policy and by what must never be lost."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from syncing.engine.changes import Action, Change, Extra
from syncing.engine.exclusions import excludes
from syncing.engine.extras import Own
from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CREATABLE_TYPES, CustomField
from syncing.engine.resources.field_groups import DEFAULT_GROUP
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.rules import WHOLE, Rules, Unmatched
from syncing.engine.snapshot import Snapshot

# Children first, so that nothing is gone before what is inside it was looked at.
ORDER = (Kind.ENUM, Kind.CUSTOM_FIELD, Kind.FIELD_GROUP, Kind.STAGE, Kind.PIPELINE)

NOT_OURS_INSIDE = "Kept: there is something inside that KommoSync did not make."
MAIN = "Kept: it is the main pipeline."
ARCHIVED = "Kept: it is archived; the API cannot restore it."
LAST_PIPELINE = "Kept: an account needs a pipeline."
LAST_STAGE = "Kept: a pipeline needs a stage of its own."
LAST_OPTION = "Kept: a field needs an option."
NOT_RESTORABLE = "Kept: the API could not make a field of this type again."
MEMBERS = "Kept: there are fields in it."


def sort_out(
    existing: Snapshot,
    rules: Rules,
    own: Sequence[Own],
    blocked: Collection[Ref] = (),
    leaving: Collection[str] = (),
) -> tuple[tuple[Change, ...], tuple[Extra, ...]]:
    """The deletions in their order, and the extras that stay.

    `blocked`: the master's items that this plan does not touch; nothing inside of them is deleted. `leaving`: keys of
    fields that it moves to another group.
    """
    judge = _Judge(existing, rules, blocked, leaving)
    changes: list[Change] = []
    extras: list[Extra] = []
    rows = sorted(own, key=lambda item: (ORDER.index(item.ref.kind), item.ref.key))
    for item in rows:
        reason = judge.keeps(item)
        if reason is None:
            changes.append(Change(Action.DELETE, item.ref, item.name, item.parent, judge.shown(item)))
        else:
            extras.append(Extra(item.ref, item.name, item.parent, reason))
    return tuple(changes), tuple(_in_reading_order(extras, own))


def _in_reading_order(extras: Sequence[Extra], own: Iterable[Own]) -> list[Extra]:
    by_ref = {extra.ref: extra for extra in extras}
    return [by_ref[item.ref] for item in own if item.ref in by_ref]


class _Judge:
    """Says of one item after the other why it stays; remembers what goes, as a last one of its kind must stay."""

    def __init__(self, existing: Snapshot, rules: Rules, blocked: Collection[Ref], leaving: Collection[str]) -> None:
        self.rules = rules
        self.untouched = {*blocked, *(_parent(ref) for ref in blocked if ref.kind is Kind.ENUM)}
        self.untouched |= {ref for ref, attribute in rules.accepted if attribute == "enums"}
        self.pipelines = {pipeline_key(pipeline.id): pipeline for pipeline in existing.pipelines}
        self.fields = {field_key(item.entity, item.id): item for item in existing.fields or ()}
        self.members = {group: keys - set(leaving) for group, keys in _members(existing).items()}
        self.gone: set[tuple[Kind, str]] = set()

    def keeps(self, item: Own) -> str | None:
        """None: it goes. "": it stays and nobody asked for anything else. Else why it stays all the same."""
        kind = item.ref.kind
        policy = self.rules.unmatched_of(kind)
        if policy is Unmatched.KEEP or self._is_left_out(item):
            return ""
        if policy is Unmatched.DELETE_CREATED and (kind, item.key) not in self.rules.created:
            return ""
        reason = self._must_stay(item, policy) or self.rules.in_use.get(item.ref)
        if reason is None:
            self.gone.add((kind, item.key))
        return reason

    def _is_left_out(self, item: Own) -> bool:
        if (item.ref, WHOLE) in self.rules.accepted or _parent(item.ref) in self.untouched:
            return True
        return any(excludes(exclusion, item.ref.kind, item.name) for exclusion in self.rules.exclusions)

    def _must_stay(self, item: Own, policy: Unmatched) -> str | None:
        if item.ref.kind is Kind.PIPELINE:
            return self._pipeline(self.pipelines[item.key], policy)
        if item.ref.kind is Kind.STAGE:
            pipeline = self.pipelines[item.key.partition("/")[0]]
            keys = [stage_key(pipeline.id, stage.id) for stage in pipeline.stages if not stage.is_system]
            return LAST_STAGE if self._is_last(Kind.STAGE, keys, item.key) else None
        if item.ref.kind is Kind.FIELD_GROUP:
            staying = [key for key in self.members.get(item.key, ()) if (Kind.CUSTOM_FIELD, key) not in self.gone]
            return MEMBERS if staying else None
        field = self.fields[item.key.rpartition("/")[0] if item.ref.kind is Kind.ENUM else item.key]
        return self._field(field, policy) if item.ref.kind is Kind.CUSTOM_FIELD else self._enum(field, item.key)

    def _is_last(self, kind: Kind, keys: Iterable[str], key: str) -> bool:
        return not any(other != key and (kind, other) not in self.gone for other in keys)

    def _pipeline(self, pipeline: Pipeline, policy: Unmatched) -> str | None:
        if pipeline.is_main:
            return MAIN
        if pipeline.is_archive:
            return ARCHIVED
        living = [key for key, other in self.pipelines.items() if not other.is_archive]
        if self._is_last(Kind.PIPELINE, living, pipeline_key(pipeline.id)):
            return LAST_PIPELINE
        inside = [(Kind.STAGE, stage_key(pipeline.id, stage.id)) for stage in pipeline.stages if not stage.is_system]
        return self._foreign_inside(inside, policy)

    def _field(self, field: CustomField, policy: Unmatched) -> str | None:
        if field.type not in CREATABLE_TYPES[field.entity]:
            return NOT_RESTORABLE
        inside = [(Kind.ENUM, enum_key(field.entity, field.id, enum.id)) for enum in field.enums]
        return self._foreign_inside(inside, policy)

    def _enum(self, field: CustomField, key: str) -> str | None:
        keys = [enum_key(field.entity, field.id, enum.id) for enum in field.enums]
        return LAST_OPTION if self._is_last(Kind.ENUM, keys, key) else None

    def _foreign_inside(self, inside: Iterable[tuple[Kind, str]], policy: Unmatched) -> str | None:
        if policy is Unmatched.DELETE_ALL or all(item in self.rules.created for item in inside):
            return None
        return NOT_OURS_INSIDE

    def shown(self, item: Own) -> Mapping[str, tuple[Any, Any]]:
        """What goes with it: attribute -> (old, None)."""
        if item.ref.kind is Kind.PIPELINE:
            stages = sorted(self.pipelines[item.key].stages, key=lambda stage: (stage.sort, stage.id))
            return {"stages": ([stage.name for stage in stages if not stage.is_system], None)}
        if item.ref.kind is Kind.CUSTOM_FIELD:
            field = self.fields[item.key]
            options = {"enums": ([enum.value for enum in field.enums], None)} if field.enums else {}
            return {"type": (field.type, None), **options}
        return {}


def _parent(ref: Ref) -> Ref | None:
    """The master's pipeline of a stage, the master's field of an option; None for what stands by itself."""
    if ref.kind is Kind.STAGE:
        return Ref(Kind.PIPELINE, ref.key.partition("/")[0])
    if ref.kind is Kind.ENUM:
        return Ref(Kind.CUSTOM_FIELD, "/".join(ref.key.split("/")[:2]))
    return None


def _members(existing: Snapshot) -> dict[str, set[str]]:
    """Group key -> the keys of its fields, by what either of them says."""
    members: dict[str, set[str]] = {}
    for group in existing.groups or ():
        keys = {field_key(group.entity, number) for number in group.fields}
        members.setdefault(group_key(group.entity, group.id), set()).update(keys)
    for item in existing.fields or ():
        group_id = group_key(item.entity, item.group_id or DEFAULT_GROUP)
        members.setdefault(group_id, set()).add(field_key(item.entity, item.id))
    return members
