"""Plan: what must change so that the slave has what the master has; ordered, without a single id of the slave."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from syncing.engine.changes import Action, Change, Conflict, Extra, Manual
from syncing.engine.compare import Comparison, unknown_options
from syncing.engine.coverage import Coverage
from syncing.engine.deletions import PlanContext, decide_deletions
from syncing.engine.desired_state import with_labels_of_master, with_values_left_to_account, without_hidden_statuses
from syncing.engine.exclusions import excluded_refs
from syncing.engine.item_planner import ItemPlanner
from syncing.engine.match import Match, match
from syncing.engine.normalise import NormalisedSnapshot, normalise, own_names
from syncing.engine.ordering import Ordering, compare_order
from syncing.engine.refs import Kind, Ref, Scope, parent_of, pipeline_key, stage_key
from syncing.engine.rules import NO_RULES, Rules
from syncing.engine.sentences import gettext_noop
from syncing.engine.slave_only import find_slave_only
from syncing.engine.snapshot import Snapshot
from syncing.engine.unread import unread_items

ARCHIVED = gettext_noop("It is archived in the account; the API cannot restore it, Kommo's settings can.")
NO_HIDING = gettext_noop("This account has no fields that are hidden by stage (a feature of its plan).")


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
        """Returns the same for plans that do the same, in whatever account."""
        rows = [[change.action, str(change.ref), change.name, change.fields] for change in self.changes]
        text = json.dumps(rows, sort_keys=True, ensure_ascii=False, default=list)
        return hashlib.sha256(text.encode()).hexdigest()


def make_plan(
    desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str], scope: Scope, rules: Rules = NO_RULES,
    shown: Mapping[tuple[Kind, str], str] = MappingProxyType({}),
) -> Plan:  # fmt: skip
    """Compares the master (`desired`) with a slave (`existing`); `known` are the slave's id mappings.

    `shown`: by the slave's keys, the names that it shows otherwise than `existing` has them (`stored_names`).
    """
    return _Planner(desired, existing, match(desired, existing, known), scope, rules).plan(shown)


class _Planner:
    def __init__(self, desired: Snapshot, existing: Snapshot, matched: Match, scope: Scope, rules: Rules) -> None:
        self.desired, self.existing, self.matched, self.rules = desired, existing, matched, rules
        self.scope, self.coverage = scope, Coverage(scope, rules)
        self.excluded = excluded_refs(desired, rules)
        self.conflicts = list(self._conflicts())
        self.blocked = frozenset({*self.excluded, *(conflict.ref for conflict in self.conflicts)})
        self.shared_stages = frozenset(self._shared_stages())
        self.manual: list[Manual] = []
        master = normalise(desired, own_names, self.shared_stages)
        account = normalise(existing, lambda kind, key: matched.names.get((kind, key)), self.shared_stages)
        if all(item.hidden_statuses is None for item in existing.fields or ()):
            self.manual += [
                Manual(str(ref.kind), item.name, item.parent, NO_HIDING)
                for ref, item in master.items.items()
                if item.attributes.get("hidden_statuses") and self._is_planned(ref)
            ]
            master = without_hidden_statuses(master)
        self.ours = with_values_left_to_account(master, account, self.coverage)
        self.theirs = with_labels_of_master(account, self.ours)

    def _conflicts(self) -> Iterator[Conflict]:
        """Yields what is ambiguous, what would have to be restored, and what may be there though nobody can tell."""
        for conflict in self.matched.conflicts:
            if conflict.ref not in self.excluded:
                yield conflict
        archived = {pipeline_key(pipeline.id) for pipeline in self.existing.pipelines if pipeline.is_archive}
        for pipeline in self.desired.pipelines:
            ref = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            if not pipeline.is_archive and self.matched.keys.get(ref) in archived and ref not in self.excluded:
                yield Conflict(ref, pipeline.name, "", ARCHIVED)
        for conflict in self.rules.uncertain:
            if conflict.ref not in self.matched.keys and conflict.ref not in self.excluded:
                yield conflict

    def _shared_stages(self) -> Iterator[Ref]:
        """Yields the stages that both accounts have, or will have after this plan."""
        for pipeline, stage in self.desired.stages():
            parent = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            ref = Ref(Kind.STAGE, stage_key(pipeline.id, stage.id))
            if ref in self.blocked or parent in self.blocked:
                continue
            creatable = self.scope.writes_pipelines and not pipeline.is_archive and self.coverage.includes(ref)
            if ref in self.matched.keys or (creatable and (parent not in self.matched.keys or not stage.is_system)):
                yield ref

    def _is_planned(self, ref: Ref) -> bool:
        return ref not in self.blocked and self.coverage.includes(ref)

    def plan(self, shown: Mapping[tuple[Kind, str], str]) -> Plan:
        options = unknown_options(self.existing, self.matched)
        comparison = Comparison(self.ours, self.theirs, self.matched.keys, self.blocked, options)
        ordering = self._compare_order()
        items = ItemPlanner(
            self.desired, self.existing, self.matched, comparison, ordering, self.coverage, self.excluded
        )
        if self.scope.writes_pipelines:
            items.plan_pipelines()
        if self.scope.writes_fields:
            items.plan_groups_and_fields()
        unread = unread_items(self.desired, self.existing, self.rules, self.coverage) if self.rules.only is None else ()
        slave_only = find_slave_only(self.existing, self.matched, self.scope)
        context = self._context(items.changes)
        deletions, extras = decide_deletions(self.existing, self.matched, self.rules, slave_only, context)
        covers, includes = self.coverage.covers, self.coverage.includes
        conflicts = [*self.conflicts, *items.conflicts]
        return Plan(
            changes=(*items.changes, *deletions),
            conflicts=tuple(each for each in conflicts if covers(each.ref.kind) and includes(each.ref)),
            extras=extras,
            manual=(*self.manual, *items.manual, *unread),
            desired=self.ours,
            existing=self.theirs,
            match=self.matched,
            orders=ordering.orders,
            shared_stages=self.shared_stages,
            slave_only={item.ref: item.key for item in slave_only},
            stored_otherwise=tuple(self._stored_otherwise(shown)),
        )

    def _compare_order(self) -> Ordering:
        """Compares the lists without what is not moved: also an account's own main pipeline, as Kommo puts it first."""
        ours, theirs = self.ours.items, self.theirs.items
        mains = {ref for ref, item in theirs.items() if item.attributes.get("is_main")}
        unmoved = {ref for ref, attribute in self.rules.accepted if attribute == "position"}
        if not any(item.attributes.get("is_main") and self._is_planned(ref) for ref, item in ours.items()):
            unmoved |= {ref for ref in mains if not ours[ref].attributes.get("is_main")}

        def is_anchor(ref: Ref) -> bool:
            return theirs[ref].system or ref in mains or not self.coverage.may_move(ref)

        return compare_order(self.ours.sequences, self.theirs.sequences, self.blocked | unmoved, is_anchor)

    def _context(self, changes: Sequence[Change]) -> PlanContext:
        """Returns what deletions have to know of the other `changes` and of what is left alone."""
        archived = {Ref(Kind.PIPELINE, pipeline_key(item.id)) for item in self.desired.pipelines if item.is_archive}
        leaving: set[str] = set()
        coming: set[Ref] = set()
        for change in changes:
            ref = change.ref
            if change.action is Action.CREATE:
                coming.add(ref)
            elif ref.kind is Kind.CUSTOM_FIELD:
                leaving |= {self.matched.keys[ref]} if "group" in change.fields else set()
                options = self.ours.items[ref].attributes["enums"] if "enums" in change.fields else ()
                coming |= {option for option in options if option not in self.matched.keys}
        moves_main = any("is_main" in change.fields for change in changes)
        return PlanContext(self.blocked | archived, leaving, coming, moves_main)

    def _stored_otherwise(self, shown: Mapping[tuple[Kind, str], str]) -> Iterator[Change]:
        """Yields the names that are kept as the account shows them; what differs beside is an update."""
        for key, name in shown.items():
            ref = self.matched.names.get(key)
            if ref is None or not self.coverage.covers(ref.kind):
                continue
            parent, is_option = parent_of(ref), ref.kind is Kind.ENUM
            owner, attribute = (parent, "enums") if is_option and parent else (ref, "name")
            accepted = {(owner, attribute), (ref, "name")} & self.rules.accepted
            if {ref, parent} & self.blocked or accepted or not self.coverage.includes(owner):
                continue
            item = self.ours.items[owner]
            wanted, present = item.attributes.get(attribute), self.theirs.items[owner].attributes.get(attribute)
            if is_option:
                wanted, present = (wanted or {}).get(ref), (present or {}).get(ref)
            if wanted is not None and wanted == present:
                parent_name = item.name if is_option else item.parent
                yield Change(Action.UPDATE, ref, wanted, parent_name, {"name": (name, wanted)})
