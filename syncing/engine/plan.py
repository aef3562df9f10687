"""Plan: what must change so that the slave has what the master has; ordered, without a single id of the slave."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from syncing.engine.changes import Action, Change, Extra, Manual
from syncing.engine.compare import Comparison, Fields, with_account_values
from syncing.engine.deletions import PlanContext, decide_deletions
from syncing.engine.exclusions import excluded_refs
from syncing.engine.match import Conflict, Match, match
from syncing.engine.normalise import Item, NormalisedSnapshot, normalise, own_names
from syncing.engine.ordering import Ordering, compare_order
from syncing.engine.refs import Kind, Ref, Scope, enum_key, field_key, group_key, parent_of, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CREATABLE_TYPES, ENUM_TYPES, CustomField
from syncing.engine.resources.pipelines import Pipeline, display_order
from syncing.engine.resources.stages import Stage
from syncing.engine.rules import NO_RULES, Rules
from syncing.engine.slave_only import find_slave_only
from syncing.engine.snapshot import Snapshot
from syncing.engine.unread import unread_items

NO_HIDING = "This account has no fields that are hidden by stage (a feature of its plan)."
NO_OPTIONS = "None of its options could be read in the master, and Kommo makes no such field without one."
NOT_OURS = "Kommo makes it itself and it is not in this account."
SEALED = "Its options differ, but the value of one of them reads null; they can only be written all together."


@dataclass(frozen=True)
class Plan:
    """The answer; `desired`, `existing` and `match` are what the writer needs to carry it out."""

    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    extras: tuple[Extra, ...]
    manual: tuple[Manual, ...]
    desired: NormalisedSnapshot
    existing: NormalisedSnapshot
    match: Match
    orders: Mapping[str, tuple[Ref, ...]]  # list name -> the order to reach, items to create among them
    shared_stages: frozenset[Ref]  # in these the master decides what is required; in the others the slave
    slave_only: Mapping[Ref, str]  # what only the slave has: ref -> the slave's key, deletions among them
    stored_otherwise: tuple[Change, ...] = ()  # names that the account shows otherwise than they were sent: not written

    @property
    def digest(self) -> str:
        """Equal for plans that do the same, in whatever account."""
        rows = [[change.action, str(change.ref), change.name, change.fields] for change in self.changes]
        text = json.dumps(rows, sort_keys=True, ensure_ascii=False, default=list)
        return hashlib.sha256(text.encode()).hexdigest()


def make_plan(
    desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str], scope: Scope, rules: Rules = NO_RULES,
    shown: Mapping[tuple[Kind, str], str] = MappingProxyType({}),
) -> Plan:  # fmt: skip
    """Compare the master (`desired`) with a slave (`existing`); `known` are the slave's id mappings.

    `shown`: by the slave's keys, the names that it shows otherwise than `existing` has them (`stored_names`).
    """
    return _Planner(desired, existing, match(desired, existing, known), scope, rules).plan(shown)


class _Planner:
    def __init__(self, desired: Snapshot, existing: Snapshot, found: Match, scope: Scope, rules: Rules) -> None:
        self.desired, self.existing, self.found, self.scope, self.rules = desired, existing, found, scope, rules
        self.our_fields = {field_key(item.entity, item.id): item for item in desired.fields or ()}
        self.their_fields = {field_key(item.entity, item.id): item for item in existing.fields or ()}
        self.left_out = excluded_refs(desired, rules)
        self.conflicts = [conflict for conflict in found.conflicts if conflict.ref not in self.left_out]
        self.manual: list[Manual] = []
        self._refuse_archived()
        self.conflicts += [each for each in rules.uncertain if each.ref not in {*found.keys, *self.left_out}]
        self.blocked = frozenset({*self.left_out, *(conflict.ref for conflict in self.conflicts)})
        self.shared = frozenset(self._shared_stages())
        ours = self._writable(normalise(desired, own_names, self.shared))
        theirs = normalise(existing, lambda kind, key: found.names.get((kind, key)), self.shared)
        self.ours = self._as_allowed(ours, theirs)
        self.theirs = self._in_our_words(theirs)
        self.comparison = Comparison(self.ours, self.theirs, found.keys, self.blocked, dict(self._sealed()))
        self.arrangement = self._arrange()
        self.changes: list[Change] = []

    def plan(self, shown: Mapping[tuple[Kind, str], str]) -> Plan:
        if self.scope.writes_pipelines:
            for pipeline in sorted(self.desired.pipelines, key=display_order):
                self._plan_pipeline(pipeline)
        if self.scope.writes_fields:
            for group in self.desired.groups or ():
                self._plan_item(Ref(Kind.FIELD_GROUP, group_key(group.entity, group.id)))
            for item in sorted(self.desired.fields or (), key=lambda item: (item.entity, item.sort, item.id)):
                self._plan_field(item)
        if self.rules.only is None:
            self.manual += unread_items(self.desired, self.existing, self.rules, self._covers)
        own = find_slave_only(self.existing, self.found, self.scope)
        deletions, extras = decide_deletions(self.existing, self.found, self.rules, own, self._beside())
        return Plan(
            changes=(*self.changes, *deletions),
            conflicts=tuple(self._conflicts_in_scope()),
            extras=extras,
            manual=tuple(self.manual),
            desired=self.ours,
            existing=self.theirs,
            match=self.found,
            orders=self.arrangement.orders,
            shared_stages=self.shared,
            slave_only={item.ref: item.key for item in own},
            stored_otherwise=tuple(self._stored_otherwise(shown)),
        )

    def _conflicts_in_scope(self) -> Iterator[Conflict]:
        return (each for each in self.conflicts if self._covers(each.ref.kind) and self._is_meant(each.ref))

    def _stored_otherwise(self, shown: Mapping[tuple[Kind, str], str]) -> Iterator[Change]:
        """Of items that are to have this name; what differs beside is an update."""
        for item, name in shown.items():
            ref = self.found.names.get(item)
            if ref is None or not self._covers(ref.kind) or not self._decides_name(ref):
                continue
            owner = parent_of(ref) if ref.kind is Kind.ENUM else None
            holder = self.ours.items[owner or ref]
            wanted = holder.attributes.get("enums", {}).get(ref) if owner else holder.attributes.get("name")
            there = self.theirs.items[owner or ref].attributes
            if wanted is not None and wanted == (there["enums"].get(ref) if owner else there.get("name")):
                parent = holder.name if owner else holder.parent
                yield Change(Action.UPDATE, ref, wanted, parent, {"name": (name, wanted)})

    def _decides_name(self, ref: Ref) -> bool:
        """Whether this plan is about the item's name."""
        holders = {ref, parent_of(ref) or ref}
        attribute = "enums" if ref.kind is Kind.ENUM else "name"
        owner = parent_of(ref) if ref.kind is Kind.ENUM else ref
        accepted = {(owner, attribute), (ref, "name")} & self.rules.accepted
        return not (holders & self.blocked or accepted) and self._is_meant(owner or ref)

    def _beside(self) -> PlanContext:
        """What deletions have to know of the rest; to be called when that is planned."""
        archived = {Ref(Kind.PIPELINE, pipeline_key(item.id)) for item in self.desired.pipelines if item.is_archive}
        leaving: set[str] = set()
        coming: set[Ref] = set()
        for change in self.changes:
            ref = change.ref
            if change.action is Action.CREATE:
                coming.add(ref)
            elif ref.kind is Kind.CUSTOM_FIELD:
                leaving |= {self.found.keys[ref]} if "group" in change.fields else set()
                options = self.ours.items[ref].attributes["enums"] if "enums" in change.fields else ()
                coming |= {option for option in options if option not in self.found.keys}
        moves_main = any("is_main" in change.fields for change in self.changes)
        return PlanContext(self.blocked | archived, leaving, coming, moves_main)

    # -- what the plan is about --

    def _covers(self, kind: Kind) -> bool:
        of_pipelines = kind in (Kind.PIPELINE, Kind.STAGE)
        return self.scope.writes_pipelines if of_pipelines else self.scope.writes_fields

    def _is_meant(self, ref: Ref) -> bool:
        """A plan may be about some items only; an option stands for its field."""
        only = self.rules.only
        return only is None or ref in only or (ref.kind is Kind.CUSTOM_FIELD and bool(self._picked_options(ref)))

    def _picked_options(self, field: Ref) -> list[Ref]:
        only = self.rules.only or {}
        return [ref for ref in only if ref.kind is Kind.ENUM and ref.key.rpartition("/")[0] == field.key]

    def _refuse_archived(self) -> None:
        archived = {pipeline_key(pipeline.id) for pipeline in self.existing.pipelines if pipeline.is_archive}
        for pipeline in self.desired.pipelines:
            ref = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            if not pipeline.is_archive and self.found.keys.get(ref) in archived and ref not in self.left_out:
                message = "It is archived in the account; the API cannot restore it, Kommo's settings can."
                self.conflicts.append(Conflict(ref, pipeline.name, "", message))

    def _shared_stages(self) -> Iterator[Ref]:
        """The stages that both accounts have, or will have after this plan."""
        for pipeline, stage in self.desired.stages():
            parent = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            ref = Ref(Kind.STAGE, stage_key(pipeline.id, stage.id))
            if ref in self.blocked or parent in self.blocked:
                continue
            creatable = self.scope.writes_pipelines and not pipeline.is_archive and self._is_meant(ref)
            if ref in self.found.keys or (creatable and (parent not in self.found.keys or not stage.is_system)):
                yield ref

    def _sealed(self) -> Iterator[tuple[Ref, Collection[Ref]]]:
        """As in `Comparison`."""
        for key, item in self.their_fields.items():
            ref = self.found.names.get((Kind.CUSTOM_FIELD, key))
            unknown = [enum_key(item.entity, item.id, enum.id) for enum in item.enums if enum.value is None]
            if ref is not None and unknown:
                options = (self.found.names.get((Kind.ENUM, option)) for option in unknown)
                yield ref, {option for option in options if option is not None}

    def _in_our_words(self, theirs: NormalisedSnapshot) -> NormalisedSnapshot:
        """What Kommo names in each account's language is called by the master's names: equal plans read alike."""
        system = {ref: self.ours.labels[ref] for ref, item in theirs.items.items() if item.system}
        return replace(theirs, labels={**theirs.labels, **system})

    def _writable(self, ours: NormalisedSnapshot) -> NormalisedSnapshot:
        """Without hidden statuses where the account lacks the feature: there the key is unknown (docs/kommo.md 5.2)."""
        if any(item.hidden_statuses is not None for item in self.existing.fields or ()):
            return ours
        for ref, item in ours.items.items():
            if item.attributes.get("hidden_statuses") and ref not in self.blocked and self._is_meant(ref):
                self.manual.append(Manual(str(ref.kind), item.name, item.parent, NO_HIDING))
        items = {
            ref: replace(item, attributes={k: v for k, v in item.attributes.items() if k != "hidden_statuses"})
            for ref, item in ours.items.items()
        }
        return replace(ours, items=items)

    def _as_allowed(self, ours: NormalisedSnapshot, theirs: NormalisedSnapshot) -> NormalisedSnapshot:
        """With the account's own values where the rules leave them to it."""
        items = dict(ours.items)
        for ref, item in ours.items.items():
            other = theirs.items.get(ref)
            if other is not None and (kept := self._left_to_the_account(ref, item)):
                items[ref] = with_account_values(item, other, kept)
                if options := self._picked_options(ref):
                    items[ref] = _with_options(items[ref], item, options)
        return replace(ours, items=items)

    def _left_to_the_account(self, ref: Ref, item: Item) -> Collection[str]:
        accepted = {attribute for other, attribute in self.rules.accepted if other == ref}
        if self.rules.only is None or not self._is_meant(ref):
            return accepted & item.attributes.keys()
        picked = self.rules.only.get(ref)
        if ref not in self.rules.only:  # it is there for its options
            return set(item.attributes)
        return set(item.attributes) - picked if picked else set()

    def _arrange(self) -> Ordering:
        unmoved = {ref for ref, attribute in self.rules.accepted if attribute == "position"}
        out = self.blocked | unmoved | self._other_main()
        return compare_order(self.ours.sequences, self.theirs.sequences, out, self._is_anchor)

    def _other_main(self) -> set[Ref]:
        """The account's main pipeline, where that may stay though the master has another: Kommo puts it first."""
        for ref, item in self.ours.items.items():
            if item.attributes.get("is_main") and ref not in self.blocked and self._is_meant(ref):
                return set()
        mains = {ref for ref, item in self.theirs.items.items() if item.attributes.get("is_main")}
        return {ref for ref in mains if not self.ours.items[ref].attributes.get("is_main")}

    def _is_anchor(self, ref: Ref) -> bool:
        """Predefined, main, or nothing that this plan may move."""
        item = self.theirs.items[ref]
        return item.system or bool(item.attributes.get("is_main")) or not self._may_move(ref)

    def _may_move(self, ref: Ref) -> bool:
        only = self.rules.only
        return only is None or (ref in only and (not only[ref] or "position" in only[ref]))

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
        if "name" in wanted and not named_at_creation and (theirs is None or theirs.name != wanted["name"]):
            self._manual(ref, f"The master calls this system stage {stage.name!r}; rename it in Kommo's settings.")
        if "descriptions" in wanted and (theirs is None or self.comparison.differences(ref).get("descriptions")):
            self._manual(ref, "The descriptions of a system stage cannot be written; copy them in Kommo's settings.")

    def _plan_field(self, item: CustomField) -> None:
        ref = Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id))
        if ref in self.blocked or not self._is_meant(ref):
            return
        if ref in self.found.keys:
            if item.code and self.their_fields[self.found.keys[ref]].code != item.code:
                self._manual(ref, f"Its code is {item.code!r} in the master; a code can only be given at creation.")
        elif not self._can_be_made(ref, item):
            return
        if ref in self.comparison.sealed and self.comparison.lacks_options(ref):
            self.conflicts.append(Conflict(ref, item.name, item.entity, SEALED))
        self._plan_item(ref)

    def _can_be_made(self, ref: Ref, item: CustomField) -> bool:
        """False, and said why, when a field that the account lacks cannot be created in it."""
        group = self.ours.items[ref].attributes.get("group")
        if self.ours.items[ref].system:
            supported = item.type in CREATABLE_TYPES[item.entity] or item.is_predefined
            self._manual(ref, NOT_OURS if supported else f"The API cannot create {item.type!r} fields here.")
            return False
        if item.type in ENUM_TYPES and not self.ours.items[ref].attributes["enums"]:
            self._manual(ref, NO_OPTIONS)
            return False
        if group in self.left_out and group not in self.found.keys:
            return False
        if group is not None and group not in self.ours.items and self.desired.hides(group):
            self.conflicts.append(Conflict(ref, item.name, item.entity, "Its group could not be read in the master."))
            return False
        if group in self.blocked and group not in self.left_out:
            label = self.ours.labels.get(group, "")
            self.conflicts.append(Conflict(ref, item.name, item.entity, f"Its group {label!r} is in conflict."))
            return False
        return True

    def _plan_item(self, ref: Ref) -> None:
        item = self.ours.items[ref]
        if ref in self.blocked or not self._is_meant(ref):
            return
        if ref not in self.found.keys:
            if item.system:
                self._manual(ref, NOT_OURS)
            else:
                self.changes.append(Change(Action.CREATE, ref, item.name, item.parent, self._shown_new(ref)))
            return
        fields = self.comparison.differences(ref)
        if ref in self.arrangement.positions and self._may_move(ref):
            fields["position"] = self.arrangement.positions[ref]
        if fields:
            self.changes.append(Change(Action.UPDATE, ref, item.name, item.parent, fields))

    def _shown_new(self, ref: Ref) -> Fields:
        fields = self.comparison.shown_new(ref)
        if ref.kind is Kind.CUSTOM_FIELD:
            return {"type": (None, self.our_fields[ref.key].type), **fields}
        return fields

    def _manual(self, ref: Ref, message: str) -> None:
        if self._is_meant(ref):
            item = self.ours.items[ref]
            self.manual.append(Manual(str(ref.kind), item.name, item.parent, message))


def _with_options(kept: Item, ours: Item, options: Collection[Ref]) -> Item:
    """The account's own options and, behind them, the picked ones of the master's field."""
    wanted = ours.attributes.get("enums", {})
    added = {ref: wanted[ref] for ref in options if ref in wanted}
    return replace(kept, attributes={**kept.attributes, "enums": {**kept.attributes.get("enums", {}), **added}})
