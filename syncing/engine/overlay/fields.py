"""Field groups, custom fields and options of a slave, laid over the master's."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from syncing.engine.overlay.pipelines import PipelineOverlay
from syncing.engine.overlay.result import PREDEFINED, UNKNOWN, OverlayResult
from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, stage_key
from syncing.engine.resources.custom_fields import CustomField, Enum, StageId
from syncing.engine.resources.field_groups import DEFAULT_GROUP, FieldGroup
from syncing.engine.sentences import gettext_noop
from syncing.engine.sequences import STEP
from syncing.engine.snapshot import Snapshot

NEW = "new "  # in front of the id of a new group
PLAIN = ("name", "is_api_only", "currency", "remind", "tracking_callback")
OPTIONS = ("enums", "enum_codes")
STATUSES = ("required_statuses", "hidden_statuses")


class FieldOverlay:
    """Lays fields and groups over the master's; what is new gets a negative id, as in `PipelineOverlay`."""

    def __init__(self, result: OverlayResult, source: Snapshot, master: Snapshot, pipelines: PipelineOverlay) -> None:
        self.result, self.pipelines = result, pipelines
        self.groups = {group_key(group.entity, group.id): group for group in master.groups or ()}
        self.fields = {field_key(item.entity, item.id): item for item in master.fields or ()}
        self.their_groups = {group_key(group.entity, group.id): group for group in source.groups or ()}
        self.owners = {
            enum_key(item.entity, item.id, enum.id): item for item in source.fields or () for enum in item.enums
        }

    def bring_group(self, item: FieldGroup, attributes: Iterable[str]) -> str:
        """Brings the name of a group that the master has, or a new group; returns why not, or ""."""
        if item.is_predefined:
            return PREDEFINED
        if not set(attributes) <= {"name"}:
            return UNKNOWN
        key = self.result.matched.keys.get(Ref(Kind.FIELD_GROUP, group_key(item.entity, item.id)))
        if key is None:
            self._add_group(item)
            return ""
        self.groups[key] = replace(self.groups[key], name=item.name)
        self.result.add_changed(Ref(Kind.FIELD_GROUP, key), attributes)
        return ""

    def _add_group(self, item: FieldGroup) -> str:
        """Adds it as the last one; returns its id here."""
        new = replace(item, id=NEW + item.id, fields=())
        key = group_key(new.entity, new.id)
        if key not in self.groups:
            sort = max((group.sort for group in self.groups.values() if group.entity == item.entity), default=0) + STEP
            self.groups[key] = replace(new, sort=sort)
            self.result.add_new(Ref(Kind.FIELD_GROUP, key), group_key(item.entity, item.id))
        return new.id

    def _group_id(self, item: CustomField) -> str:
        """Returns the id of the group that the slave's field comes to; one that the master lacks comes along."""
        key = self.result.matched.keys.get(Ref(Kind.FIELD_GROUP, item.group_key))
        if key is not None:
            return key.partition("/")[2]
        own = item.group_key
        return self._add_group(self.their_groups[own]) if own in self.their_groups else DEFAULT_GROUP

    def _last_sort(self, group: str) -> int:
        """Returns a number behind all fields of the group of this key."""
        return max((item.sort for item in self.fields.values() if item.group_key == group), default=0) + STEP

    def bring(self, item: CustomField, attributes: Iterable[str]) -> str:
        """Brings `attributes` of a field that the master has, or a new one with its options; returns why not, or ""."""
        key = self.result.matched.keys.get(Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id)))
        if key is None:
            if not item.is_predefined:
                self._add(item)
            return PREDEFINED if item.is_predefined else ""
        if not set(attributes) <= {*PLAIN, *OPTIONS, *STATUSES, "group"}:
            return UNKNOWN
        for name in attributes:
            self.fields[key] = self._with_attribute(self.fields[key], item, name)
        self.result.add_changed(Ref(Kind.CUSTOM_FIELD, key), attributes)
        return ""

    def _add(self, item: CustomField) -> None:
        key = field_key(item.entity, -item.id)
        if key in self.fields:
            return
        group_id = self._group_id(item)
        hidden = item.hidden_statuses
        self.fields[key] = replace(
            item,
            id=-item.id,
            sort=self._last_sort(group_key(item.entity, group_id)),
            group_id=group_id,
            enums=tuple(replace(enum, id=-enum.id) for enum in item.enums),
            required_statuses=self._stages(item.required_statuses, item.name),
            hidden_statuses=None if hidden is None else self._stages(hidden, item.name),
        )
        self.result.add_new(Ref(Kind.CUSTOM_FIELD, key), field_key(item.entity, item.id))
        for enum in item.enums:
            own = enum_key(item.entity, item.id, enum.id)
            self.result.origins[Ref(Kind.ENUM, enum_key(item.entity, -item.id, -enum.id))] = own

    def _with_attribute(self, ours: CustomField, theirs: CustomField, name: str) -> CustomField:
        if name == "group":
            group = group_key(ours.entity, self._group_id(theirs))
            if group == ours.group_key:
                return ours
            return replace(ours, group_id=group.partition("/")[2], sort=self._last_sort(group))
        if name in OPTIONS:
            return self._with_options(ours, theirs, name)
        if name not in STATUSES:
            return replace(ours, **{name: getattr(theirs, name)})
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine is None or other is None:
            return ours
        # In stages that both have, the slave's; in those that only the master has, the master's stay.
        both = {key for ref, key in self.result.matched.keys.items() if ref.kind is Kind.STAGE}
        kept = [status for status in mine if stage_key(*status) not in both]
        statuses: Any = (*kept, *self._stages(other, theirs.name))
        return replace(ours, **{name: statuses})

    def _with_options(self, ours: CustomField, theirs: CustomField, name: str) -> CustomField:
        """Returns the field with the values or the codes of the slave's options that it has; a code is only added."""
        others = {enum_key(theirs.entity, theirs.id, enum.id): enum for enum in theirs.enums}
        enums = []
        for enum in ours.enums:
            own = self.result.matched.names.get((Kind.ENUM, enum_key(ours.entity, ours.id, enum.id)))
            other = others.get(own.key) if own else None
            if other is not None and other.value is not None:
                value = {"value": other.value} if name == "enums" else {"code": enum.code or other.code}
                enum = replace(enum, **value)
            enums.append(enum)
        return replace(ours, enums=tuple(enums))

    def bring_option(self, item: Enum, own: Ref) -> str:
        """Brings one option, new in a field that the master has, else the field with all its options."""
        if item.value is None:
            return gettext_noop("its value is not known: it came as null.")
        owner = self.owners[own.key]
        key = self.result.matched.keys.get(Ref(Kind.CUSTOM_FIELD, field_key(owner.entity, owner.id)))
        if key is None:
            return self.bring(owner, ())
        field = self.fields[key]
        if own in self.result.matched.keys:
            return gettext_noop("the master has it already.")
        sort = max((enum.sort for enum in field.enums), default=0) + STEP
        new = replace(item, id=-item.id, sort=sort)
        self.fields[key] = replace(field, enums=(*field.enums, new))
        self.result.origins[Ref(Kind.ENUM, enum_key(field.entity, field.id, new.id))] = own.key
        self.result.add_changed(Ref(Kind.CUSTOM_FIELD, key), ("enums",))
        return ""

    def _stages(self, statuses: Iterable[StageId], field: str) -> tuple[StageId, ...]:
        moved = [self.pipelines.stage_of(status) for status in statuses]
        if None in moved:
            self.result.remarks.append(
                gettext_noop("%(name)r names stages that the master does not have; that stays behind.")
                % {"name": field}
            )
        return tuple(status for status in moved if status is not None)
