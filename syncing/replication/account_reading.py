"""Reads the account of an account run, at first and again after writes; a doubtful reading raises."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from accounts.kommo.client import KommoClient
from accounts.kommo.errors import BadAnswer
from syncing.adapters.existence import item_exists
from syncing.adapters.reader import Reader, with_membership
from syncing.engine.assumed import with_descriptions_of, with_features_of
from syncing.engine.changes import Action, Change
from syncing.engine.delta import OF_FIELDS, PIPELINES, ListName, list_of
from syncing.engine.match import match
from syncing.engine.refs import Kind, Ref, pipeline_key
from syncing.engine.resources.custom_fields import ENTITIES, CustomField
from syncing.engine.resources.field_groups import DEFAULT_GROUP, FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.safety import incomplete_reading
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot, refs_in
from syncing.replication.assumptions import raise_doubt
from syncing.replication.contract import Target

LAG = 4.0  # seconds after which a reading shows what was written before it


@dataclass(frozen=True)
class AccountReading:
    """Reads one account for its target; `known` is the caller's and grows while the account is worked.

    `groupless`: the fields that a reading has shown without a group, as (entity, id).
    """

    target: Target
    client: KommoClient
    reader: Reader
    known: Mapping[Ref, str]
    groupless: set[tuple[str, int]] = field(default_factory=set)

    def first(self) -> Snapshot:
        """Reads the account; asks again for what was mapped a moment ago and does not show, as readings may lag."""
        existing = self._read_all()
        if self._missing(existing):
            self.reader.client.pause(LAG)
            existing = self._read_all()
            hidden = next(iter(self._missing(existing)), None)
            if hidden is not None and item_exists(self.reader.client, hidden):
                raise BadAnswer(
                    gettext_noop("the list does not show the %(what)s, but it is there") % {"what": hidden},
                    account=self.target.subdomain,
                )
        return existing

    def _missing(self, existing: Snapshot) -> list[Ref]:
        """Returns what was mapped a moment ago and does not show, by the account's own keys."""
        if not self.target.fresh:
            return []
        present, wanted = set(refs_in(existing)), set(refs_in(self.target.desired))
        keys = [
            Ref(ref.kind, self.target.known[ref])
            for ref in sorted(self.target.fresh & wanted & self.target.known.keys())
        ]
        read = [key for key in keys if key.kind not in OF_FIELDS or self.target.scope.writes_fields]
        return [key for key in read if key not in present and not existing.hides(key)]

    def _read_all(self) -> Snapshot:
        """Reads the account, or the part of it that is to be read: the rest is as it is assumed to be."""
        assumed = self.target.delta.assumed if self.target.delta else Snapshot(())
        existing = Snapshot(assumed.pipelines)
        if self._reads(PIPELINES):
            existing = Snapshot(self._read_pipelines(assumed.pipelines))
        if self.target.scope.writes_fields:
            groups: list[FieldGroup] = []
            fields: list[CustomField] = []
            for entity in ENTITIES:
                if self._reads((Kind.FIELD_GROUP, entity)):
                    groups += self.reader.groups(entity)
                if self._reads((Kind.CUSTOM_FIELD, entity)):
                    fields += self._read_fields(entity)
            rest = [item for item in assumed.fields or () if not self._reads((Kind.CUSTOM_FIELD, item.entity))]
            groups += [each for each in assumed.groups or () if not self._reads((Kind.FIELD_GROUP, each.entity))]
            every = with_membership((*fields, *with_features_of(fields, rest)), tuple(groups))
            existing = replace(existing, groups=tuple(groups), fields=every)
        return self.checked(existing)

    def _reads(self, name: ListName) -> bool:
        return self.target.delta is None or name in self.target.delta.part.lists

    def _read_fields(self, entity: str) -> tuple[CustomField, ...]:
        fields = self.reader.fields(entity)
        self.groupless.update((entity, item.id) for item in fields if item.group_id is None)
        return fields

    def reread(self, existing: Snapshot, changes: Iterable[Change]) -> Snapshot:
        """Reads again only what was written; the caller has it `checked` in the end, as it may lag behind."""
        changes = list(changes)
        touched = touched_lists(changes)
        if PIPELINES in touched:
            existing = replace(existing, pipelines=self._read_pipelines(existing.pipelines))
        for entity in ENTITIES:
            groups, fields = existing.groups or (), existing.fields or ()
            if (Kind.FIELD_GROUP, entity) in touched:
                groups = self._reread_groups(groups, entity)
            if (Kind.CUSTOM_FIELD, entity) in touched:
                old = frozenset(self.groupless)
                mine = self._read_fields(entity)
                moved = {self.known.get(change.ref) for change in changes if "group" in change.fields}
                # The groups show if the last field is gone, and where a field is that has never shown its group.
                if not mine or any(_nowhere(item, old) and f"{entity}/{item.id}" in moved for item in mine):
                    groups = self._reread_groups(groups, entity)
                else:
                    groups = tuple(_with_members(group, mine, old) for group in groups)
                rest = tuple(item for item in fields if item.entity != entity)
                fields = rest + with_membership(mine, groups)
            existing = replace(existing, groups=groups, fields=fields) if self.target.scope.writes_fields else existing
        return existing

    def _reread_groups(self, groups: tuple[FieldGroup, ...], entity: str) -> tuple[FieldGroup, ...]:
        return tuple(group for group in groups if group.entity != entity) + self.reader.groups(entity)

    def checked(self, existing: Snapshot) -> Snapshot:
        """Returns the reading with what was held back; raises BadAnswer for one that cannot be true.

        What cannot be true only together with what is assumed of the account raises Doubt.
        """
        existing = replace(existing, held=self.reader.held)
        if doubt := incomplete_reading(self.target.desired, existing, self.known):
            raise_doubt(self.target, doubt)
            raise BadAnswer(doubt, account=self.target.subdomain)
        return existing

    def _read_pipelines(self, before: tuple[Pipeline, ...]) -> tuple[Pipeline, ...]:
        """Reads the pipelines with their stages; the descriptions that are not read are as they were `before`."""
        pipelines = self.reader.pipelines()
        described = self._described(pipelines)
        if self.target.delta is not None:
            pipelines = with_descriptions_of(pipelines, before, but=described)
        return self.reader.with_descriptions(pipelines, described)

    def _described(self, pipelines: tuple[Pipeline, ...]) -> set[int]:
        """Returns the pipelines whose descriptions are read: only where the master has some, at a request each."""
        delta, desired = self.target.delta, self.target.desired
        wanted = {
            Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            for pipeline, stage in desired.stages()
            if stage.descriptions and not stage.is_system
        }
        if delta is not None:
            wanted = {ref for ref in wanted if ref.key in delta.part.described}
        if not wanted or not self.target.scope.writes_pipelines:
            return set()
        keys = match(Snapshot(desired.pipelines), Snapshot(pipelines, held=self.reader.held), self.known).keys
        return {int(keys[ref]) for ref in wanted if ref in keys}


def touched_lists(changes: Iterable[Change]) -> set[ListName]:
    """Returns the lists to read again."""
    touched: set[ListName] = set()
    for change in changes:
        name = list_of(change.ref)
        touched.add(name)
        if change.ref.kind is Kind.FIELD_GROUP and change.action is Action.DELETE:
            touched.add((Kind.CUSTOM_FIELD, name[1]))  # those that came into it meanwhile are in the main group now
    return touched


def _nowhere(item: CustomField, groupless: frozenset[tuple[str, int]]) -> bool:
    """Tells if a field shows no group, and did not before: one that did show its group is in the main one now."""
    return item.group_id is None and (item.entity, item.id) in groupless


def _with_members(
    group: FieldGroup, fields: Iterable[CustomField], groupless: frozenset[tuple[str, int]]
) -> FieldGroup:
    """Returns a group with the members that its fields say now; those that never said it stay as they were listed."""
    place = {
        item.id: item.group_id or DEFAULT_GROUP
        for item in fields
        if item.entity == group.entity and not _nowhere(item, groupless)
    }
    kept = [number for number in group.fields if place.get(number, group.id) == group.id]
    came = [number for number, where in place.items() if where == group.id and number not in kept]
    return replace(group, fields=(*kept, *came))
