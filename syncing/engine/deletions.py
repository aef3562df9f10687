"""Deletions: which of the items that only the slave has may go, by the policy and by what must never be lost."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncing.engine.changes import Action, Change, Extra
from syncing.engine.exclusions import excluded_names
from syncing.engine.match import Match
from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, parent_of, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CREATABLE_TYPES, CustomField
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import Stage
from syncing.engine.rules import WHOLE, Rules, Unmatched
from syncing.engine.sentences import gettext_noop
from syncing.engine.slave_only import SlaveOnly, without_number
from syncing.engine.snapshot import Snapshot

# Children first, so that nothing is gone before what is inside it was looked at.
ORDER = (Kind.ENUM, Kind.CUSTOM_FIELD, Kind.FIELD_GROUP, Kind.STAGE, Kind.PIPELINE)

NOT_OURS_INSIDE = gettext_noop("Kept: there is something inside that KommoSync did not create.")
MAIN = gettext_noop("Kept: it is the main pipeline.")
ARCHIVED = gettext_noop("Kept: it is archived; the API cannot restore it.")
LAST_PIPELINE = gettext_noop("Kept: an account needs a pipeline.")
LAST_STAGE = gettext_noop("Kept: a pipeline needs a stage of its own.")
LAST_OPTION = gettext_noop("Kept: a field needs an option.")
NOT_RESTORABLE = gettext_noop("Kept: the API could not create a field of this type again.")
MEMBERS = gettext_noop("Kept: there are fields in it.")
UNKNOWN_OPTION = gettext_noop(
    "Kept: the value of an option of its field is not known, so the list of options cannot be written."
)
UNREADABLE_INSIDE = gettext_noop("Kept: there may be something inside that could not be read.")


@dataclass(frozen=True)
class PlanContext:
    """The rest of the plan: what it does, and what it leaves alone.

    `untouched`: the master's items that it does not touch; nothing inside of them is deleted. `leaving`: keys of fields
    that it moves to another group. `coming`: what it makes. `moves_main`: it makes another pipeline the main one.
    """

    untouched: Collection[Ref] = ()
    leaving: Collection[str] = ()
    coming: Collection[Ref] = ()
    moves_main: bool = False


def decide_deletions(
    existing: Snapshot, matched: Match, rules: Rules, slave_only: Sequence[SlaveOnly], context: PlanContext
) -> tuple[tuple[Change, ...], tuple[Extra, ...]]:
    """Returns the deletions in their order, and the extras that stay in the order of `slave_only`."""
    decider = _Decider(existing, matched, rules, slave_only, context)
    changes: list[Change] = []
    reasons: dict[Ref, str] = {}
    for item in sorted(slave_only, key=lambda item: (ORDER.index(item.ref.kind), item.ref.key)):
        reason = decider.reason_to_stay(item)
        if reason is None:
            changes.append(Change(Action.DELETE, item.ref, item.name, item.parent, decider.fields_of(item)))
        else:
            reasons[item.ref] = reason
    extras = (Extra(each.ref, each.name, each.parent, reasons[each.ref]) for each in slave_only if each.ref in reasons)
    return tuple(changes), tuple(extras)


class _Decider:
    """Decides about one item after the other; remembers what goes, as a last one of its kind must stay."""

    def __init__(
        self, existing: Snapshot, matched: Match, rules: Rules, slave_only: Sequence[SlaveOnly], context: PlanContext
    ) -> None:
        self.rules, self.context = rules, context
        self.accepted = {without_number(ref) for ref, attribute in rules.accepted if attribute == WHOLE}
        self.untouched = {*context.untouched, *(parent_of(ref) for ref in context.untouched if ref.kind is Kind.ENUM)}
        self.untouched |= {ref for ref, attribute in rules.accepted if attribute == "enums"}
        self.pipelines = {pipeline_key(pipeline.id): pipeline for pipeline in existing.pipelines}
        self.fields = {field_key(item.entity, item.id): item for item in existing.fields or ()}
        members = _fields_by_group(existing)
        self.members = {group: keys - set(context.leaving) for group, keys in members.items()}
        groups = {item.key: item for item in slave_only if item.ref.kind is Kind.FIELD_GROUP}
        self.fields_left_out: set[str] = set()
        for group, keys in members.items():
            ref = matched.names.get((Kind.FIELD_GROUP, group))
            if self._is_left_out(groups[group]) if group in groups else ref in self.untouched:
                self.fields_left_out |= keys
        self.filled = {(ref.kind, parent_of(ref)) for ref in context.coming}
        self.gone: set[tuple[Kind, str]] = set()
        # What is held back may be in these: the pipelines of stages, of fields any group of the entity.
        self.holding = {held.within for held in existing.held if held.kind in (Kind.STAGE, Kind.CUSTOM_FIELD)}

    def reason_to_stay(self, item: SlaveOnly) -> str | None:
        """Returns None if the item goes, "" if nobody asked for that, else the reason why it stays all the same.

        Left alone is what is excluded or accepted, inside of something that is, or with something inside that is.
        """
        kind = item.ref.kind
        policy = self.rules.unmatched_of(kind)
        if policy is Unmatched.KEEP or self._is_left_out(item) or parent_of(item.ref) in self.untouched:
            return ""
        stages = _ordinary_stages(self.pipelines[item.key]) if kind is Kind.PIPELINE else ()
        if any(self._is_excluded(Kind.STAGE, stage.name) for stage in stages):
            return ""
        if kind is Kind.CUSTOM_FIELD and item.key in self.fields_left_out:
            return ""
        if policy is Unmatched.DELETE_CREATED and (kind, item.key) not in self.rules.created:
            return ""
        reason = self._must_stay(item, policy) or self.rules.in_use.get((kind, item.key))
        if reason is None:
            self.gone.add((kind, item.key))
        return reason

    def _is_left_out(self, item: SlaveOnly) -> bool:
        return without_number(item.ref) in self.accepted or self._is_excluded(item.ref.kind, item.name)

    def _is_excluded(self, kind: Kind, name: str) -> bool:
        """Asks about the name alone, so that case does not count: what is kept too much is not lost."""
        return bool(excluded_names(self.rules.exclusions, kind, {name}))

    def _must_stay(self, item: SlaveOnly, policy: Unmatched) -> str | None:
        kind = item.ref.kind
        if kind is Kind.PIPELINE:
            return self._pipeline_must_stay(item, policy)
        if kind is Kind.STAGE:
            pipeline = self.pipelines[item.key.partition("/")[0]]
            return LAST_STAGE if self._is_last(item, _stage_keys(pipeline)) else None
        if kind is Kind.FIELD_GROUP:
            if item.key.partition("/")[0] in self.holding:
                return UNREADABLE_INSIDE
            staying = [key for key in self.members.get(item.key, ()) if (Kind.CUSTOM_FIELD, key) not in self.gone]
            return MEMBERS if staying else None
        field = self.fields[item.key.rpartition("/")[0] if kind is Kind.ENUM else item.key]
        if kind is Kind.CUSTOM_FIELD:
            is_restorable = field.type in CREATABLE_TYPES[field.entity]
            return self._foreign_inside(Kind.ENUM, _enum_keys(field), policy) if is_restorable else NOT_RESTORABLE
        if any(enum.value is None for enum in field.enums):
            return UNKNOWN_OPTION
        return LAST_OPTION if self._is_last(item, _enum_keys(field)) else None

    def _pipeline_must_stay(self, item: SlaveOnly, policy: Unmatched) -> str | None:
        pipeline = self.pipelines[item.key]
        if pipeline.is_main and not self.context.moves_main:
            return MAIN
        if pipeline.is_archive:
            return ARCHIVED
        if item.key in self.holding:
            return UNREADABLE_INSIDE
        living = [key for key, other in self.pipelines.items() if not other.is_archive]
        if self._is_last(item, living):
            return LAST_PIPELINE
        return self._foreign_inside(Kind.STAGE, _stage_keys(pipeline), policy)

    def _is_last(self, item: SlaveOnly, keys: Iterable[str]) -> bool:
        """Returns True if nothing else under the same parent is there and stays, or is coming."""
        kind = item.ref.kind
        if (kind, parent_of(item.ref)) in self.filled:
            return False
        return not any(other != item.key and (kind, other) not in self.gone for other in keys)

    def _foreign_inside(self, kind: Kind, keys: Iterable[str], policy: Unmatched) -> str | None:
        if policy is Unmatched.DELETE_ALL or all((kind, key) in self.rules.created for key in keys):
            return None
        return NOT_OURS_INSIDE

    def fields_of(self, item: SlaveOnly) -> Mapping[str, tuple[Any, Any]]:
        """Returns what goes with it: attribute -> (old, None)."""
        if item.ref.kind is Kind.PIPELINE:
            stages = sorted(_ordinary_stages(self.pipelines[item.key]), key=lambda stage: (stage.sort, stage.id))
            return {"stages": ([stage.name for stage in stages], None)}
        if item.ref.kind is Kind.CUSTOM_FIELD:
            field = self.fields[item.key]
            values = [enum.value for enum in field.enums if enum.value is not None]
            options = {"enums": (values, None)} if values else {}
            return {"type": (field.type, None), **options}
        return {}


def _ordinary_stages(pipeline: Pipeline) -> list[Stage]:
    return [stage for stage in pipeline.stages if not stage.is_system]


def _stage_keys(pipeline: Pipeline) -> list[str]:
    return [stage_key(pipeline.id, stage.id) for stage in _ordinary_stages(pipeline)]


def _enum_keys(field: CustomField) -> list[str]:
    return [enum_key(field.entity, field.id, enum.id) for enum in field.enums]


def _fields_by_group(existing: Snapshot) -> dict[str, set[str]]:
    """Returns the keys of the fields by the key of their group, by what either of them says."""
    members: dict[str, set[str]] = defaultdict(set)
    for group in existing.groups or ():
        members[group_key(group.entity, group.id)] |= {field_key(group.entity, number) for number in group.fields}
    for item in existing.fields or ():
        members[item.group_key].add(field_key(item.entity, item.id))
    return members
