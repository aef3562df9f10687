"""Assumed: an account as it is taken to be where it is not read, because it was equal to a master that is known.

The master's items in the account's own ids; nothing of it is ever written (`engine.delta`).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from syncing.engine.delta import PIPELINES, ListName, PartRead, list_of, lists_of
from syncing.engine.exclusions import excluded_refs
from syncing.engine.refs import Kind, Ref, Scope, enum_key, field_key, group_key, local_id, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CREATABLE_TYPES, ENUM_TYPES, CustomField, Enum, StageId
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline, display_order
from syncing.engine.resources.stages import Stage
from syncing.engine.rules import Rules
from syncing.engine.snapshot import Snapshot


@dataclass(frozen=True)
class DeltaBase:
    """The part of the account to read, and the whole account as it is assumed to be, in its own ids.

    `may_widen`: in doubt the whole account is read. Not so where `assumed` is what the account is to become again: what
    was only assumed then must not be written over what people have done since.
    """

    part: PartRead
    assumed: Snapshot
    may_widen: bool = True


def delta_base(
    base: Snapshot, desired: Snapshot, part: PartRead, known: Mapping[Ref, str], rules: Rules, scope: Scope
) -> DeltaBase | None:
    """Returns what to read of an account that was equal to the master `base`, and what to assume of the rest.

    None: to be read whole. So is an account that lacks something in a list which would not be read, as nothing may be
    created only because it was believed missing; and where an item of the master itself could not be read.
    """
    has_gaps = desired.held or any(enum.value is None for item in desired.fields or () for enum in item.enums)
    if has_gaps or part.lists == lists_of(scope):
        return None
    translation = _Translation(known, _may_be_missing(base, desired, part, known, rules, scope))
    assumed = translation.account(base, with_fields=scope.writes_fields)
    return None if translation.missing else DeltaBase(part, assumed)


def _may_be_missing(
    base: Snapshot, desired: Snapshot, part: PartRead, known: Mapping[Ref, str], rules: Rules, scope: Scope
) -> set[Ref]:
    """Returns the items that an account may lack though it is equal to `base`: no plan creates them, or they are read.

    Excluded ones, archived pipelines, and what Kommo alone creates.
    """
    excluded = excluded_refs(base, rules) & excluded_refs(desired, rules)
    optional: set[Ref] = set(excluded)
    for pipeline in base.pipelines:
        ref = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
        whole = pipeline.is_archive or PIPELINES in part.lists or not scope.writes_pipelines
        optional |= {ref} if whole else set()
        inner = ((Ref(Kind.STAGE, stage_key(pipeline.id, stage.id)), stage) for stage in pipeline.stages)
        optional |= {each for each, stage in inner if whole or ref in excluded or stage.is_system}
    for group in base.groups or ():
        if group.is_predefined or (Kind.FIELD_GROUP, group.entity) in part.lists:
            optional.add(Ref(Kind.FIELD_GROUP, group_key(group.entity, group.id)))
    for item in base.fields or ():
        ref, group_ref = Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id)), Ref(Kind.FIELD_GROUP, item.group_key)
        is_read = (Kind.CUSTOM_FIELD, item.entity) in part.lists
        by_kommo = item.is_predefined or item.type not in CREATABLE_TYPES[item.entity]
        if is_read or by_kommo or (group_ref in excluded and group_ref not in known):
            optional.add(ref)
        if is_read or ref in excluded or item.type not in ENUM_TYPES or (ref, "enums") in rules.accepted:
            optional |= {Ref(Kind.ENUM, enum_key(item.entity, item.id, enum.id)) for enum in item.enums}
    return optional


class _Translation:
    """The master's items as those of one account. `missing`: what it should have, and no id is known of."""

    def __init__(self, known: Mapping[Ref, str], optional: Collection[Ref]) -> None:
        self.known, self.optional = known, optional
        self.missing: list[Ref] = []

    def account(self, master: Snapshot, *, with_fields: bool) -> Snapshot:
        """Numbers every list anew, so that equal numbers of the master leave no doubt about the order."""
        pipelines = tuple(self._pipelines(master.pipelines))
        if not with_fields:
            return Snapshot(pipelines)
        fields = tuple(self._fields(master.fields or ()))
        return Snapshot(pipelines, tuple(self._groups(master.groups or (), fields)), fields)

    def _key(self, kind: Kind, key: str) -> str | None:
        ref = Ref(kind, key)
        if ref not in self.known and ref not in self.optional:
            self.missing.append(ref)
        return self.known.get(ref)

    def _pipelines(self, pipelines: Iterable[Pipeline]) -> Iterable[Pipeline]:
        for sort, pipeline in enumerate(sorted(pipelines, key=display_order), start=1):
            key = self._key(Kind.PIPELINE, pipeline_key(pipeline.id))
            stages = self._stages(pipeline)
            if key is not None:
                mine = tuple(stage for parent, stage in stages if parent == key)
                yield replace(pipeline, id=int(key), sort=sort, stages=mine)

    def _stages(self, pipeline: Pipeline) -> list[tuple[str, Stage]]:
        """Returns the stages, each with the key of the pipeline that it is in."""
        stages = []
        for sort, stage in enumerate(sorted(pipeline.stages, key=lambda each: (each.sort, each.id)), start=1):
            key = self._key(Kind.STAGE, stage_key(pipeline.id, stage.id))
            if key is not None:
                texts = tuple(replace(text, id=None) for text in stage.descriptions or ())
                described = replace(stage, id=int(local_id(key)), sort=sort, descriptions=texts)
                stages.append((key.partition("/")[0], described))
        return stages

    def _groups(self, groups: Iterable[FieldGroup], fields: Collection[CustomField]) -> Iterable[FieldGroup]:
        for sort, group in enumerate(sorted(groups, key=lambda each: (each.sort, each.id)), start=1):
            key = self._key(Kind.FIELD_GROUP, group_key(group.entity, group.id))
            if key is not None:
                members = tuple(item.id for item in fields if item.group_key == key)
                yield replace(group, id=local_id(key), sort=sort, fields=members)

    def _fields(self, fields: Iterable[CustomField]) -> Iterable[CustomField]:
        for sort, item in enumerate(sorted(fields, key=lambda each: (each.sort, each.id)), start=1):
            key = self._key(Kind.CUSTOM_FIELD, field_key(item.entity, item.id))
            if key is None:
                continue
            group = self.known.get(Ref(Kind.FIELD_GROUP, item.group_key))
            hidden = item.hidden_statuses
            yield replace(
                item,
                id=int(local_id(key)),
                sort=sort,
                group_id=None if group is None else local_id(group),
                enums=tuple(self._enums(item)),
                required_statuses=self._statuses(item.required_statuses),
                hidden_statuses=None if hidden is None else self._statuses(hidden),
            )

    def _enums(self, item: CustomField) -> Iterable[Enum]:
        for sort, enum in enumerate(sorted(item.enums, key=lambda each: each.sort), start=1):
            key = self._key(Kind.ENUM, enum_key(item.entity, item.id, enum.id))
            if key is not None:
                yield replace(enum, id=int(local_id(key)), sort=sort)

    def _statuses(self, statuses: Iterable[StageId]) -> tuple[StageId, ...]:
        keys = (self.known.get(Ref(Kind.STAGE, stage_key(*status))) for status in statuses)
        numbers = (tuple(map(int, key.split("/"))) for key in keys if key is not None)
        return tuple((pipeline, stage) for pipeline, stage in numbers)


# -- put together --


def with_features_of(read: Collection[CustomField], assumed: Iterable[CustomField]) -> tuple[CustomField, ...]:
    """Returns the assumed fields without hidden stages if the account turns out not to have that feature."""
    if read and all(item.hidden_statuses is None for item in read):
        return tuple(replace(item, hidden_statuses=None) for item in assumed)
    return tuple(assumed)


def with_descriptions_of(
    pipelines: Iterable[Pipeline], assumed: Iterable[Pipeline], but: Collection[int] = ()
) -> tuple[Pipeline, ...]:
    """Returns pipelines as they were read, with the descriptions of `assumed`, in all `but` these pipelines."""
    texts = {(pipeline.id, stage.id): stage.descriptions for pipeline in assumed for stage in pipeline.stages}
    return tuple(
        pipeline
        if pipeline.id in but
        else replace(
            pipeline,
            stages=tuple(
                replace(stage, descriptions=texts.get((pipeline.id, stage.id), stage.descriptions))
                for stage in pipeline.stages
            ),
        )
        for pipeline in pipelines
    )


def completed(before: Snapshot, part: PartRead, later: Snapshot) -> Snapshot:
    """Returns an account of which only `part` was read, with the rest of a later reading of the whole account."""
    pipelines = later.pipelines
    if PIPELINES in part.lists:
        described = {int(key) for key in part.described}
        pipelines = with_descriptions_of(before.pipelines, later.pipelines, described)
    held = [item for item in before.held if _list_of_held(item.kind, item.within) in part.lists]
    held += [item for item in later.held if _list_of_held(item.kind, item.within) not in part.lists]
    groups, fields = later.groups, later.fields
    if groups is not None and fields is not None:
        mine = [each for each in before.groups or () if (Kind.FIELD_GROUP, each.entity) in part.lists]
        groups = (*mine, *(each for each in groups if (Kind.FIELD_GROUP, each.entity) not in part.lists))
        read = [item for item in before.fields or () if (Kind.CUSTOM_FIELD, item.entity) in part.lists]
        fields = (*read, *(item for item in fields if (Kind.CUSTOM_FIELD, item.entity) not in part.lists))
    return Snapshot(pipelines, groups, fields, tuple(held))


def _list_of_held(kind: Kind, within: str) -> ListName:
    return list_of(Ref(kind, f"{within}/"))
