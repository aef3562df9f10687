"""Item planner: the changes, the conflicts and the manual items that each of the master's items makes in an account."""

from collections.abc import Collection
from typing import Any

from syncing.engine.changes import Action, Change, Conflict, Manual
from syncing.engine.compare import Comparison
from syncing.engine.coverage import Coverage
from syncing.engine.match import Match
from syncing.engine.ordering import Ordering
from syncing.engine.refs import Kind, Ref, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CREATABLE_TYPES, ENUM_TYPES, CustomField
from syncing.engine.resources.pipelines import display_order
from syncing.engine.resources.stages import Stage
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot

ARCHIVED = gettext_noop("It is archived in the master; the API cannot archive, so it is not copied.")
NO_OPTIONS = gettext_noop(
    "None of its options could be read in the master, and Kommo creates no such field without one."
)
NOT_OURS = gettext_noop("Kommo creates it itself and it is not in this account.")
SEALED = gettext_noop(
    "Its options differ, but the value of one of them reads null; they can only be written all together."
)
SYSTEM_DESCRIPTIONS = gettext_noop(
    "The descriptions of a system stage cannot be written; copy them in Kommo's settings."
)
UNREAD_GROUP = gettext_noop("Its group could not be read in the master.")


class ItemPlanner:
    """Goes through the master's items, parents before children, and collects what the plan does about each.

    `excluded`: what the account is not to be given.
    """

    def __init__(
        self, desired: Snapshot, existing: Snapshot, matched: Match, comparison: Comparison, ordering: Ordering,
        coverage: Coverage, excluded: Collection[Ref],
    ) -> None:  # fmt: skip
        self.desired, self.matched, self.excluded = desired, matched, excluded
        self.comparison, self.ordering, self.coverage = comparison, ordering, coverage
        self.ours, self.theirs, self.blocked = comparison.ours, comparison.theirs, comparison.blocked
        self.types = {field_key(item.entity, item.id): item.type for item in desired.fields or ()}
        self.codes = {field_key(item.entity, item.id): item.code for item in existing.fields or ()}
        self.changes: list[Change] = []
        self.conflicts: list[Conflict] = []
        self.manual: list[Manual] = []

    def plan_pipelines(self) -> None:
        for pipeline in sorted(self.desired.pipelines, key=display_order):
            ref = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            if ref in self.blocked:
                continue
            if pipeline.is_archive:
                self._add_manual(ref, ARCHIVED)
                continue
            self._plan_item(ref)
            for stage in sorted(pipeline.stages, key=lambda stage: (stage.sort, stage.id)):
                inner = Ref(Kind.STAGE, stage_key(pipeline.id, stage.id))
                if stage.is_system:
                    self._check_system_stage(inner, stage, is_new=ref not in self.matched.keys)
                else:
                    self._plan_item(inner)

    def plan_groups_and_fields(self) -> None:
        for group in self.desired.groups or ():
            self._plan_item(Ref(Kind.FIELD_GROUP, group_key(group.entity, group.id)))
        for item in sorted(self.desired.fields or (), key=lambda item: (item.entity, item.sort, item.id)):
            ref = Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id))
            if ref in self.blocked or not self.coverage.includes(ref):
                continue
            key = self.matched.keys.get(ref)
            if key is None and self._note_uncreatable(ref, item):
                continue
            if key is not None and item.code and self.codes[key] != item.code:
                self._add_manual(
                    ref,
                    gettext_noop("Its code is %(code)r in the master; a code can only be given at creation.")
                    % {"code": item.code},
                )
            if ref in self.comparison.unknown_options and self.comparison.lacks_options(ref):
                self.conflicts.append(Conflict(ref, item.name, item.entity, SEALED))
            self._plan_item(ref)

    def _plan_item(self, ref: Ref) -> None:
        item = self.ours.items[ref]
        if ref in self.blocked or not self.coverage.includes(ref):
            return
        if ref in self.matched.keys:
            fields = self.comparison.differences(ref)
            if ref in self.ordering.positions and self.coverage.may_move(ref):
                fields["position"] = self.ordering.positions[ref]
            if fields:
                self.changes.append(Change(Action.UPDATE, ref, item.name, item.parent, fields))
        elif item.system:
            self._add_manual(ref, NOT_OURS)
        else:
            fields = {"type": (None, self.types[ref.key])} if ref.kind is Kind.CUSTOM_FIELD else {}
            fields |= self.comparison.new_fields(ref)
            self.changes.append(Change(Action.CREATE, ref, item.name, item.parent, fields))

    def _check_system_stage(self, ref: Ref, stage: Stage, *, is_new: bool) -> None:
        """Notes what a person has to do, as the API neither renames nor describes it; `is_new`: with its pipeline."""
        theirs = self.theirs.items.get(ref)
        wanted = self.ours.items[ref].attributes
        named_at_creation = is_new and stage.natural_id != "incoming"
        if "name" in wanted and not named_at_creation and (theirs is None or theirs.name != wanted["name"]):
            self._add_manual(
                ref,
                gettext_noop("The master calls this system stage %(name)r; rename it in Kommo's settings.")
                % {"name": stage.name},
            )
        if "descriptions" in wanted and (theirs is None or self.comparison.differences(ref).get("descriptions")):
            self._add_manual(ref, SYSTEM_DESCRIPTIONS)

    def _note_uncreatable(self, ref: Ref, item: CustomField) -> bool:
        """Notes why a field cannot be made in an account that lacks it; returns False for one that can."""
        ours = self.ours.items[ref]
        group: Any = ours.attributes.get("group")
        if ours.system:
            supported = item.type in CREATABLE_TYPES[item.entity] or item.is_predefined
            self._add_manual(
                ref,
                NOT_OURS
                if supported
                else gettext_noop("The API cannot create %(type)r fields here.") % {"type": item.type},
            )
        elif item.type in ENUM_TYPES and not ours.attributes["enums"]:
            self._add_manual(ref, NO_OPTIONS)
        elif group in self.excluded and group not in self.matched.keys:
            pass  # the account is to be given neither
        elif group is not None and group not in self.ours.items and self.desired.hides(group):
            self.conflicts.append(Conflict(ref, item.name, item.entity, UNREAD_GROUP))
        elif group in self.blocked and group not in self.excluded:
            message = gettext_noop("Its group %(group)r is in conflict.") % {"group": self.ours.labels.get(group, "")}
            self.conflicts.append(Conflict(ref, item.name, item.entity, message))
        else:
            return False
        return True

    def _add_manual(self, ref: Ref, message: str) -> None:
        if self.coverage.includes(ref):
            item = self.ours.items[ref]
            self.manual.append(Manual(str(ref.kind), item.name, item.parent, message))
