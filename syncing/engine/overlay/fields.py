"""Field groups, custom fields and options of a slave, laid over the master's."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from syncing.engine.overlay.pipelines import PipelineOverlay
from syncing.engine.overlay.result import PREDEFINED, UNKNOWN, OverlayResult
from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key
from syncing.engine.resources.custom_fields import CustomField, Enum, StageId
from syncing.engine.resources.field_groups import DEFAULT_GROUP, FieldGroup
from syncing.engine.sequences import STEP
from syncing.engine.snapshot import Snapshot

NEW = "new "  # in front of the id of a new group
PLAIN = ("name", "is_api_only", "currency", "remind", "tracking_callback")
OPTIONS = ("enums", "enum_codes")
STATUSES = ("required_statuses", "hidden_statuses")


class FieldOverlay:
    """What is new gets a negative id, as in `Pipelines`."""

    def __init__(self, book: OverlayResult, source: Snapshot, master: Snapshot, pipelines: PipelineOverlay) -> None:
        self.book, self.pipelines = book, pipelines
        self.groups = {group_key(group.entity, group.id): group for group in master.groups or ()}
        self.fields = {field_key(item.entity, item.id): item for item in master.fields or ()}
        self.their_groups = {group_key(group.entity, group.id): group for group in source.groups or ()}
        self.owners = {
            enum_key(item.entity, item.id, enum.id): item for item in source.fields or () for enum in item.enums
        }

    # -- groups --

    def bring_group(self, item: FieldGroup, attributes: Iterable[str]) -> str:
        """The name of a group that the master has, or a new group; why not, or ""."""
        if item.is_predefined:
            return PREDEFINED
        if not set(attributes) <= {"name"}:
            return UNKNOWN
        key = self.book.found.keys.get(Ref(Kind.FIELD_GROUP, group_key(item.entity, item.id)))
        if key is None:
            self._add_group(item)
            return ""
        self.groups[key] = replace(self.groups[key], name=item.name)
        self.book.is_changed(Ref(Kind.FIELD_GROUP, key), attributes)
        return ""

    def _add_group(self, item: FieldGroup) -> str:
        """As the last one; gives its id here."""
        made = replace(item, id=NEW + item.id, fields=())
        key = group_key(made.entity, made.id)
        if key not in self.groups:
            sort = max((group.sort for group in self.groups.values() if group.entity == item.entity), default=0) + STEP
            self.groups[key] = replace(made, sort=sort)
            self.book.is_new(Ref(Kind.FIELD_GROUP, key), group_key(item.entity, item.id))
        return made.id

    def _home(self, item: CustomField) -> str:
        """The id of the group that the slave's field comes to; one that the master does not have comes along."""
        own = item.group_key
        key = self.book.found.keys.get(Ref(Kind.FIELD_GROUP, own))
        if key is not None:
            return key.partition("/")[2]
        return self._add_group(self.their_groups[own]) if own in self.their_groups else DEFAULT_GROUP

    def _last_in(self, entity: str, group_id: str) -> int:
        inside = [
            item.sort
            for item in self.fields.values()
            if item.entity == entity and (item.group_id or DEFAULT_GROUP) == group_id
        ]
        return max(inside, default=0) + STEP

    # -- fields --

    def bring(self, item: CustomField, attributes: Iterable[str]) -> str:
        """`attributes` of a field that the master has, or a new field with its options; why not, or ""."""
        key = self.book.found.keys.get(Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id)))
        if key is None:
            return PREDEFINED if item.is_predefined else self._add(item)
        if not set(attributes) <= {*PLAIN, *OPTIONS, *STATUSES, "group"}:
            return UNKNOWN
        for name in attributes:
            self.fields[key] = self._changed(self.fields[key], item, name)
        self.book.is_changed(Ref(Kind.CUSTOM_FIELD, key), attributes)
        return ""

    def _add(self, item: CustomField) -> str:
        key = field_key(item.entity, -item.id)
        if key in self.fields:
            return ""
        home = self._home(item)
        hidden = item.hidden_statuses
        self.fields[key] = replace(
            item,
            id=-item.id,
            sort=self._last_in(item.entity, home),
            group_id=home,
            enums=tuple(replace(enum, id=-enum.id) for enum in item.enums),
            required_statuses=self._stages(item.required_statuses, item.name),
            hidden_statuses=None if hidden is None else self._stages(hidden, item.name),
        )
        self.book.is_new(Ref(Kind.CUSTOM_FIELD, key), field_key(item.entity, item.id))
        for enum in item.enums:
            own = enum_key(item.entity, item.id, enum.id)
            self.book.origins[Ref(Kind.ENUM, enum_key(item.entity, -item.id, -enum.id))] = own
        return ""

    def _changed(self, ours: CustomField, theirs: CustomField, name: str) -> CustomField:
        if name == "group":
            home = self._home(theirs)
            if home == (ours.group_id or DEFAULT_GROUP):
                return ours
            return replace(ours, group_id=home, sort=self._last_in(ours.entity, home))
        if name in OPTIONS:
            return replace(ours, enums=tuple(self._changed_option(ours, enum, theirs, name) for enum in ours.enums))
        if name in STATUSES:
            return replace(ours, **{name: self._merged(ours, theirs, name)})
        return replace(ours, **{name: getattr(theirs, name)})

    # -- options --

    def bring_option(self, item: Enum, own: Ref) -> str:
        """One option: new in a field that the master has, else the field with all its options."""
        if item.value is None:
            return "its value is not known: it came as null."
        owner = self.owners[own.key]
        key = self.book.found.keys.get(Ref(Kind.CUSTOM_FIELD, field_key(owner.entity, owner.id)))
        if key is None:
            return self.bring(owner, ())
        home = self.fields[key]
        if own in self.book.found.keys:
            return "the master has it already."
        sort = max((enum.sort for enum in home.enums), default=0) + STEP
        made = replace(item, id=-item.id, sort=sort)
        self.fields[key] = replace(home, enums=(*home.enums, made))
        self.book.origins[Ref(Kind.ENUM, enum_key(home.entity, home.id, made.id))] = own.key
        self.book.is_changed(Ref(Kind.CUSTOM_FIELD, key), ("enums",))
        return ""

    def _changed_option(self, ours: CustomField, enum: Enum, theirs: CustomField, name: str) -> Enum:
        """The value or the code of the slave's option, where it has this one; a code is only ever added."""
        own = self.book.found.names.get((Kind.ENUM, enum_key(ours.entity, ours.id, enum.id)))
        other = next((e for e in theirs.enums if own and enum_key(theirs.entity, theirs.id, e.id) == own.key), None)
        if other is None or other.value is None:
            return enum
        return replace(enum, value=other.value) if name == "enums" else replace(enum, code=enum.code or other.code)

    # -- required and hidden stages --

    def _stages(self, statuses: Iterable[StageId], field: str) -> tuple[StageId, ...]:
        moved = [self.pipelines.stage_of(status) for status in statuses]
        if None in moved:
            self.book.remarks.append(f"{field!r} names stages that the master does not have; that stays behind.")
        return tuple(status for status in moved if status is not None)

    def _merged(self, ours: CustomField, theirs: CustomField, name: str) -> Any:
        """In stages that both have, the slave's; in those that only the master has, the master's are kept."""
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine is None or other is None:
            return mine
        both = {key for ref, key in self.book.found.keys.items() if ref.kind is Kind.STAGE}
        kept = [(pipeline, stage) for pipeline, stage in mine if f"{pipeline}/{stage}" not in both]
        return (*kept, *self._stages(other, theirs.name))
