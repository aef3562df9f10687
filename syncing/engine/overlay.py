"""The master's snapshot with items of a slave laid over it, in the master's ids; for `engine.promotion`."""

from collections.abc import Iterable
from dataclasses import replace

from syncing.engine.match import Match
from syncing.engine.order import STEP
from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField, Enum, StageId
from syncing.engine.resources.field_groups import DEFAULT_GROUP, FieldGroup
from syncing.engine.resources.pipelines import Pipeline, place
from syncing.engine.resources.stages import Description, Stage
from syncing.engine.snapshot import Snapshot

NEW = "new "  # in front of the id of a new group
ARCHIVED = "it is archived; the API cannot make it in the master."
PREDEFINED = "Kommo makes it itself in every account."
UNKNOWN = "it has no such attribute."
WHOLE_ITEM: frozenset[str] = frozenset()


class Overlay:
    """`bring` one item after the other, parents before children; then take the `result`.

    What is new gets a negative id: no account has such a one, so it can never be taken for an item of the master's.
    """

    def __init__(self, source: Snapshot, master: Snapshot, found: Match) -> None:
        self.source, self.master, self.found = source, master, found
        self.only: dict[Ref, frozenset[str]] = {}
        self.origins: dict[Ref, str] = {}
        self.remarks: list[str] = []
        self.pipelines = {pipeline.id: pipeline for pipeline in master.pipelines}
        self.groups = {(group.entity, group.id): group for group in master.groups or ()}
        self.fields = {(item.entity, item.id): item for item in master.fields or ()}
        self.theirs = _by_ref(source)
        self.parents = {Ref(Kind.STAGE, stage_key(p.id, stage.id)): p for p, stage in source.stages()}
        self.owners = {
            Ref(Kind.ENUM, enum_key(item.entity, item.id, enum.id)): item
            for item in source.fields or ()
            for enum in item.enums
        }
        self.places = {ref: number for number, ref in enumerate(_in_reading_order(source))}

    def place(self, ref: Ref) -> int:
        """Where the item stands in the slave: several new ones keep their order."""
        return self.places.get(ref, -1)

    def name(self, ref: Ref) -> str | None:
        """None: the slave has no such item."""
        item = self.theirs.get(ref)
        if item is None:
            return None
        return item.value if isinstance(item, Enum) else item.name

    def result(self) -> Snapshot:
        return Snapshot(
            tuple(self.pipelines.values()),
            None if self.master.groups is None else tuple(self.groups.values()),
            None if self.master.fields is None else tuple(self.fields.values()),
        )

    def bring(self, ref: Ref, attributes: Iterable[str]) -> str:
        """One item that the slave has: new, or these attributes of it; the reason why not, "" if all is well."""
        item = self.theirs[ref]
        if isinstance(item, Pipeline):
            return self._pipeline(item, ref, attributes)
        if isinstance(item, Stage):
            return self._stage(item, ref, attributes)
        if isinstance(item, FieldGroup):
            return self._group(item, ref, attributes)
        if isinstance(item, CustomField):
            return self._field(item, ref, attributes)
        return self._enum(item, ref)

    def _is_new(self, ref: Ref, own: Ref) -> None:
        self.only[ref] = WHOLE_ITEM
        self.origins[ref] = own.key

    def _is_changed(self, ref: Ref, attributes: Iterable[str]) -> None:
        if ref not in self.origins:  # of what is new, all is brought anyway
            self.only[ref] = self.only.get(ref, frozenset()) | frozenset(attributes)

    # -- pipelines and stages --

    def _pipeline(self, item: Pipeline, own: Ref, attributes: Iterable[str]) -> str:
        key = self.found.keys.get(own)
        if item.is_archive:
            return ARCHIVED
        if key is None:
            return self._new_pipeline(item, own)
        changed = self.pipelines[int(key)]
        for name in attributes:
            if name not in ("name", "is_unsorted_on", "is_main"):
                return UNKNOWN
            if name == "is_main" and item.is_main:
                self._no_other_is_main()
            if name != "is_main" or item.is_main:
                changed = replace(changed, **{name: getattr(item, name)})
        self.pipelines[changed.id] = changed
        self._is_changed(Ref(Kind.PIPELINE, key), attributes)
        return ""

    def _no_other_is_main(self) -> None:
        self.pipelines = {number: replace(other, is_main=False) for number, other in self.pipelines.items()}

    def _new_pipeline(self, item: Pipeline, own: Ref) -> str:
        """With all its stages; the main pipeline of the master stays the main one."""
        if -item.id in self.pipelines:
            return ""
        sort = max((other.sort for other in self.pipelines.values()), default=0) + STEP
        stages = tuple(replace(stage, id=_new_stage_id(stage)) for stage in item.stages)
        made = replace(item, id=-item.id, sort=sort, is_main=False, stages=stages)
        self.pipelines[made.id] = made
        self._is_new(Ref(Kind.PIPELINE, pipeline_key(made.id)), own)
        for stage, there in zip(made.stages, item.stages, strict=True):
            self._is_new(
                Ref(Kind.STAGE, stage_key(made.id, stage.id)), Ref(Kind.STAGE, stage_key(item.id, there.id))
            )
        return ""

    def _stage(self, item: Stage, own: Ref, attributes: Iterable[str]) -> str:
        parent = self.parents[own]
        pipeline = self.found.keys.get(Ref(Kind.PIPELINE, pipeline_key(parent.id)))
        if pipeline is None:
            return self._pipeline(parent, Ref(Kind.PIPELINE, pipeline_key(parent.id)), ())
        key = self.found.keys.get(own)
        if key is None:
            return self._new_stage(self.pipelines[int(pipeline)], item, own)
        if item.is_system:
            return PREDEFINED
        home = self.pipelines[int(pipeline)]
        stages = tuple(
            _changed_stage(stage, item, attributes) if stage_key(home.id, stage.id) == key else stage
            for stage in home.stages
        )
        self.pipelines[home.id] = replace(home, stages=stages)
        self._is_changed(Ref(Kind.STAGE, key), attributes)
        return ""

    def _new_stage(self, home: Pipeline, item: Stage, own: Ref) -> str:
        if item.is_system:
            return PREDEFINED
        sort = max((stage.sort for stage in home.stages if not stage.is_system), default=0) + STEP
        made = replace(item, id=-item.id, sort=sort)
        self.pipelines[home.id] = replace(home, stages=(*home.stages, made))
        self._is_new(Ref(Kind.STAGE, stage_key(home.id, made.id)), own)
        return ""

    # -- groups and fields --

    def _group(self, item: FieldGroup, own: Ref, attributes: Iterable[str]) -> str:
        if item.is_predefined:
            return PREDEFINED
        key = self.found.keys.get(own)
        if key is None:
            self._new_group(item, own)
            return ""
        entity, _, number = key.partition("/")
        self.groups[entity, number] = replace(self.groups[entity, number], name=item.name)
        self._is_changed(Ref(Kind.FIELD_GROUP, key), attributes)
        return ""

    def _new_group(self, item: FieldGroup, own: Ref) -> str:
        """Its id in the overlay."""
        number = NEW + item.id
        if (item.entity, number) not in self.groups:
            sort = max((g.sort for g in self.groups.values() if g.entity == item.entity), default=0) + STEP
            self.groups[item.entity, number] = replace(item, id=number, sort=sort, fields=())
            self._is_new(Ref(Kind.FIELD_GROUP, group_key(item.entity, number)), own)
        return number

    def _home(self, item: CustomField) -> str:
        """The id of the field's group in the overlay; a group that the master does not have comes along."""
        own = Ref(Kind.FIELD_GROUP, group_key(item.entity, item.group_id or DEFAULT_GROUP))
        key = self.found.keys.get(own)
        if key is not None:
            return key.partition("/")[2]
        group = self.theirs.get(own)
        return self._new_group(group, own) if isinstance(group, FieldGroup) else DEFAULT_GROUP

    def _field(self, item: CustomField, own: Ref, attributes: Iterable[str]) -> str:
        key = self.found.keys.get(own)
        if key is None:
            return PREDEFINED if item.is_predefined else self._new_field(item, own)
        entity, _, number = key.partition("/")
        changed = self.fields[entity, int(number)]
        for name in attributes:
            if not hasattr(item, "group_id" if name == "group" else "enums" if name == "enum_codes" else name):
                return UNKNOWN
            changed = self._changed_field(changed, item, name)
        self.fields[entity, changed.id] = changed
        self._is_changed(Ref(Kind.CUSTOM_FIELD, key), attributes)
        return ""

    def _new_field(self, item: CustomField, own: Ref) -> str:
        if (item.entity, -item.id) in self.fields:
            return ""
        home = self._home(item)
        inside = [f.sort for f in self.fields.values() if f.entity == item.entity and f.group_id in (home, None)]
        made = replace(
            item,
            id=-item.id,
            sort=max(inside, default=0) + STEP,
            group_id=home,
            enums=tuple(replace(enum, id=-enum.id) for enum in item.enums),
            required_statuses=self._stages_of(item.required_statuses, item.name),
            hidden_statuses=None if item.hidden_statuses is None else self._stages_of(item.hidden_statuses, item.name),
        )
        self.fields[item.entity, made.id] = made
        self._is_new(Ref(Kind.CUSTOM_FIELD, field_key(item.entity, made.id)), own)
        for enum in item.enums:
            self.origins[Ref(Kind.ENUM, enum_key(item.entity, made.id, -enum.id))] = enum_key(
                item.entity, item.id, enum.id
            )
        return ""

    def _changed_field(self, ours: CustomField, theirs: CustomField, name: str) -> CustomField:
        if name == "group":
            return replace(ours, group_id=self._home(theirs))
        if name in ("enums", "enum_codes"):
            return replace(ours, enums=tuple(self._changed_enum(ours, enum, theirs, name) for enum in ours.enums))
        if name in ("required_statuses", "hidden_statuses"):
            return replace(ours, **{name: self._merged_statuses(ours, theirs, name)})
        return replace(ours, **{name: getattr(theirs, name)})

    def _changed_enum(self, ours: CustomField, enum: Enum, theirs: CustomField, name: str) -> Enum:
        """The value or the code of the slave's option, where it has this one; a code is only ever added."""
        own = self.found.names_of(Ref(Kind.ENUM, enum_key(ours.entity, ours.id, enum.id)))
        other = next((e for e in theirs.enums if own and enum_key(theirs.entity, theirs.id, e.id) == own.key), None)
        if other is None:
            return enum
        return replace(enum, value=other.value) if name == "enums" else replace(enum, code=enum.code or other.code)

    def _enum(self, item: Enum, own: Ref) -> str:
        """A new option of a field that the master has; of a new field, the field with all of them."""
        owner = self.owners[own]
        field = self.found.keys.get(Ref(Kind.CUSTOM_FIELD, field_key(owner.entity, owner.id)))
        if field is None:
            return self._field(owner, Ref(Kind.CUSTOM_FIELD, field_key(owner.entity, owner.id)), ())
        home = self.fields[owner.entity, int(field.rpartition("/")[2])]
        if own in self.found.keys:
            return self._field(owner, Ref(Kind.CUSTOM_FIELD, field_key(owner.entity, owner.id)), ("enums",))
        sort = max((enum.sort for enum in home.enums), default=0) + STEP
        self.fields[home.entity, home.id] = replace(home, enums=(*home.enums, replace(item, id=-item.id, sort=sort)))
        self.origins[Ref(Kind.ENUM, enum_key(home.entity, home.id, -item.id))] = own.key
        self._is_changed(Ref(Kind.CUSTOM_FIELD, field), ("enums",))
        return ""

    # -- required and hidden stages --

    def _stages_of(self, statuses: Iterable[StageId], field: str) -> tuple[StageId, ...]:
        """The slave's stages as the overlay has them; those that the master will not have stay behind."""
        moved = [self._stage_of(status) for status in statuses]
        if None in moved:
            self.remarks.append(f"The field {field!r} names stages that the master does not have; they stay behind.")
        return tuple(status for status in moved if status is not None)

    def _stage_of(self, status: StageId) -> StageId | None:
        pipeline, stage = status
        key = self.found.keys.get(Ref(Kind.STAGE, stage_key(pipeline, stage)))
        if key is not None:
            ours, _, number = key.partition("/")
            return int(ours), int(number)
        own = stage_key(pipeline, stage)
        new = next((ref.key for ref, other in self.origins.items() if ref.kind is Kind.STAGE and other == own), None)
        if new is None:
            return None
        ours, _, number = new.partition("/")
        return int(ours), int(number)

    def _merged_statuses(self, ours: CustomField, theirs: CustomField, name: str) -> tuple[StageId, ...] | None:
        """In stages that both have, the slave's; in those that only the master has, the master's are kept."""
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine is None or other is None:
            return ours.hidden_statuses
        shared = {key for ref, key in self.found.keys.items() if ref.kind is Kind.STAGE}
        kept = [status for status in mine if stage_key(*status) not in shared]
        return (*kept, *self._stages_of(other, theirs.name))
