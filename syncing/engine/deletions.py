"""Deletions: which of the items that only the slave has may go, by the policy and by what must never be lost."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncing.engine.changes import Action, Change, Extra
from syncing.engine.exclusions import excluded_names
from syncing.engine.match import Match
from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CREATABLE_TYPES, CustomField
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import Stage
from syncing.engine.rules import WHOLE, Rules, Unmatched
from syncing.engine.slave_only import SlaveOnly, without_number
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
UNKNOWN_OPTION = "Kept: the value of an option of its field is not known, so the list of options cannot be written."
UNREADABLE_INSIDE = "Kept: there may be something inside that could not be read."


@dataclass(frozen=True)
class PlanContext:
    """What the rest of the plan does, and leaves alone.

    `untouched`: the master's items that it does not touch; nothing inside of them is deleted. `leaving`: keys of fields
    that it moves to another group. `coming`: what it makes. `moves_main`: it makes another pipeline the main one.
    """

    untouched: Collection[Ref] = ()
    leaving: Collection[str] = ()
    coming: Collection[Ref] = ()
    moves_main: bool = False


def decide_deletions(
    existing: Snapshot, found: Match, rules: Rules, own: Sequence[SlaveOnly], beside: PlanContext
) -> tuple[tuple[Change, ...], tuple[Extra, ...]]:
    """The deletions in their order, and the extras that stay."""
    judge = _Judge(existing, found, rules, own, beside)
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


def _in_reading_order(extras: Sequence[Extra], own: Iterable[SlaveOnly]) -> list[Extra]:
    by_ref = {extra.ref: extra for extra in extras}
    return [by_ref[item.ref] for item in own if item.ref in by_ref]


class _Judge:
    """Says of one item after the other why it stays; remembers what goes, as a last one of its kind must stay."""

    def __init__(
        self, existing: Snapshot, found: Match, rules: Rules, own: Sequence[SlaveOnly], beside: PlanContext
    ) -> None:
        self.rules, self.beside = rules, beside
        self.accepted = {without_number(ref) for ref, attribute in rules.accepted if attribute == WHOLE}
        self.untouched = {*beside.untouched, *(_parent(ref) for ref in beside.untouched if ref.kind is Kind.ENUM)}
        self.untouched |= {ref for ref, attribute in rules.accepted if attribute == "enums"}
        self.pipelines = {pipeline_key(pipeline.id): pipeline for pipeline in existing.pipelines}
        self.fields = {field_key(item.entity, item.id): item for item in existing.fields or ()}
        members = _members(existing)
        self.left_out_fields = self._inside_of_left_out(members, found, own)
        self.members = {group: keys - set(beside.leaving) for group, keys in members.items()}
        self.filled = {(ref.kind, _parent(ref)) for ref in beside.coming}
        self.gone: set[tuple[Kind, str]] = set()
        # What is held back may be in these: the pipelines of stages, of fields any group of the entity.
        self.holding = {held.within for held in existing.held if held.kind in (Kind.STAGE, Kind.CUSTOM_FIELD)}

    def _inside_of_left_out(self, members: Mapping[str, set[str]], found: Match, own: Iterable[SlaveOnly]) -> set[str]:
        """Keys of the fields in groups that are left alone."""
        mine = {item.key: item for item in own if item.ref.kind is Kind.FIELD_GROUP}
        inside: set[str] = set()
        for group, keys in members.items():
            alone = (
                self._is_named(mine[group])
                if group in mine
                else found.names.get((Kind.FIELD_GROUP, group)) in self.untouched
            )
            inside |= keys if alone else set()
        return inside

    def keeps(self, item: SlaveOnly) -> str | None:
        """None: it goes. "": it stays and nobody asked for anything else. Else why it stays all the same."""
        kind = item.ref.kind
        policy = self.rules.unmatched_of(kind)
        if policy is Unmatched.KEEP or self._is_left_out(item):
            return ""
        if policy is Unmatched.DELETE_CREATED and (kind, item.key) not in self.rules.created:
            return ""
        reason = self._must_stay(item, policy) or self.rules.in_use.get((kind, item.key))
        if reason is None:
            self.gone.add((kind, item.key))
        return reason

    def _is_left_out(self, item: SlaveOnly) -> bool:
        """Excluded or accepted, inside of something that is, or with something inside that is."""
        if self._is_named(item) or _parent(item.ref) in self.untouched:
            return True
        if item.ref.kind is Kind.PIPELINE:
            return any(self._is_excluded(Kind.STAGE, stage.name) for stage in _ordinary(self.pipelines[item.key]))
        return item.ref.kind is Kind.CUSTOM_FIELD and item.key in self.left_out_fields

    def _is_named(self, item: SlaveOnly) -> bool:
        return without_number(item.ref) in self.accepted or self._is_excluded(item.ref.kind, item.name)

    def _is_excluded(self, kind: Kind, name: str) -> bool:
        """By itself, so that case does not count: what is kept too much is not lost."""
        return bool(excluded_names(self.rules.exclusions, kind, {name}))

    def _must_stay(self, item: SlaveOnly, policy: Unmatched) -> str | None:
        if item.ref.kind is Kind.PIPELINE:
            return self._pipeline(item, policy)
        if item.ref.kind is Kind.STAGE:
            pipeline = self.pipelines[item.key.partition("/")[0]]
            return LAST_STAGE if self._is_last(item, _stage_keys(pipeline)) else None
        if item.ref.kind is Kind.FIELD_GROUP:
            if item.key.partition("/")[0] in self.holding:
                return UNREADABLE_INSIDE
            staying = [key for key in self.members.get(item.key, ()) if (Kind.CUSTOM_FIELD, key) not in self.gone]
            return MEMBERS if staying else None
        field = self.fields[item.key.rpartition("/")[0] if item.ref.kind is Kind.ENUM else item.key]
        if item.ref.kind is Kind.CUSTOM_FIELD:
            return self._field(field, policy)
        if any(enum.value is None for enum in field.enums):
            return UNKNOWN_OPTION
        return LAST_OPTION if self._is_last(item, _enum_keys(field)) else None

    def _is_last(self, item: SlaveOnly, keys: Iterable[str]) -> bool:
        """Of what is there and stays, and what is coming, under the same parent."""
        kind = item.ref.kind
        if (kind, _parent(item.ref)) in self.filled:
            return False
        return not any(other != item.key and (kind, other) not in self.gone for other in keys)

    def _pipeline(self, item: SlaveOnly, policy: Unmatched) -> str | None:
        pipeline = self.pipelines[item.key]
        if pipeline.is_main and not self.beside.moves_main:
            return MAIN
        if pipeline.is_archive:
            return ARCHIVED
        if item.key in self.holding:
            return UNREADABLE_INSIDE
        living = [key for key, other in self.pipelines.items() if not other.is_archive]
        if self._is_last(item, living):
            return LAST_PIPELINE
        return self._foreign_inside(Kind.STAGE, _stage_keys(pipeline), policy)

    def _field(self, field: CustomField, policy: Unmatched) -> str | None:
        if field.type not in CREATABLE_TYPES[field.entity]:
            return NOT_RESTORABLE
        return self._foreign_inside(Kind.ENUM, _enum_keys(field), policy)

    def _foreign_inside(self, kind: Kind, keys: Iterable[str], policy: Unmatched) -> str | None:
        if policy is Unmatched.DELETE_ALL or all((kind, key) in self.rules.created for key in keys):
            return None
        return NOT_OURS_INSIDE

    def shown(self, item: SlaveOnly) -> Mapping[str, tuple[Any, Any]]:
        """What goes with it: attribute -> (old, None)."""
        if item.ref.kind is Kind.PIPELINE:
            stages = sorted(_ordinary(self.pipelines[item.key]), key=lambda stage: (stage.sort, stage.id))
            return {"stages": ([stage.name for stage in stages], None)}
        if item.ref.kind is Kind.CUSTOM_FIELD:
            field = self.fields[item.key]
            values = [enum.value for enum in field.enums if enum.value is not None]
            options = {"enums": (values, None)} if values else {}
            return {"type": (field.type, None), **options}
        return {}


def _parent(ref: Ref) -> Ref | None:
    """The master's pipeline of a stage, the master's field of an option; None for what stands by itself."""
    if ref.kind is Kind.STAGE:
        return Ref(Kind.PIPELINE, ref.key.partition("/")[0])
    if ref.kind is Kind.ENUM:
        return Ref(Kind.CUSTOM_FIELD, "/".join(ref.key.split("/")[:2]))
    return None


def _ordinary(pipeline: Pipeline) -> list[Stage]:
    return [stage for stage in pipeline.stages if not stage.is_system]


def _stage_keys(pipeline: Pipeline) -> list[str]:
    return [stage_key(pipeline.id, stage.id) for stage in _ordinary(pipeline)]


def _enum_keys(field: CustomField) -> list[str]:
    return [enum_key(field.entity, field.id, enum.id) for enum in field.enums]


def _members(existing: Snapshot) -> dict[str, set[str]]:
    """Group key -> the keys of its fields, by what either of them says."""
    members: dict[str, set[str]] = {}
    for group in existing.groups or ():
        keys = {field_key(group.entity, number) for number in group.fields}
        members.setdefault(group_key(group.entity, group.id), set()).update(keys)
    for item in existing.fields or ():
        group_id = item.group_key
        members.setdefault(group_id, set()).add(field_key(item.entity, item.id))
    return members
