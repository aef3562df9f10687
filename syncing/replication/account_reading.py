"""Reads the account of an account run, at first and again after writes; a doubtful reading raises."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from accounts.kommo.client import KommoClient
from accounts.kommo.errors import BadAnswer
from syncing.adapters.existence import item_exists
from syncing.adapters.reader import Reader, with_membership
from syncing.engine.changes import Action, Change
from syncing.engine.match import match
from syncing.engine.refs import Kind, Ref, pipeline_key
from syncing.engine.resources.custom_fields import ENTITIES
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.safety import incomplete_reading
from syncing.engine.snapshot import Snapshot, refs_in
from syncing.replication.contract import Target

LAG = 4.0  # seconds after which a reading shows what was written before it
OF_FIELDS = (Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM)


@dataclass(frozen=True)
class AccountReading:
    """Reads one account for its target; `known` is the caller's and grows while the account is worked."""

    target: Target
    client: KommoClient
    reader: Reader
    known: Mapping[Ref, str]

    def first(self) -> Snapshot:
        """Reads the account; asks again for what was mapped a moment ago and does not show, as readings may lag."""
        existing = self._read_all()
        if self._missing(existing):
            self.reader.client.pause(LAG)
            existing = self._read_all()
            hidden = next(iter(self._missing(existing)), None)
            if hidden is not None and item_exists(self.reader.client, hidden):
                raise BadAnswer(f"the list does not show the {hidden}, but it is there", account=self.target.subdomain)
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
        pipelines = self.reader.pipelines()
        existing = Snapshot(self._with_descriptions(pipelines))
        if self.target.scope.writes_fields:
            groups, fields = self.reader.groups_and_fields(ENTITIES)
            existing = replace(existing, groups=groups, fields=fields)
        return self.checked(existing)

    def reread(self, existing: Snapshot, changes: Iterable[Change]) -> Snapshot:
        """Reads again only what was written; the caller has it `checked` in the end, as it may lag behind."""
        touched = touched_lists(changes)
        if touched & {(Kind.PIPELINE, ""), (Kind.STAGE, "")}:
            existing = replace(existing, pipelines=self._with_descriptions(self.reader.pipelines()))
        for entity in ENTITIES:
            groups, fields = existing.groups or (), existing.fields or ()
            if (Kind.FIELD_GROUP, entity) in touched:
                groups = self._reread_groups(groups, entity)
            if (Kind.CUSTOM_FIELD, entity) in touched:
                mine = self.reader.fields(entity)
                if not mine:  # the groups show if the last field is gone
                    groups = self._reread_groups(groups, entity)
                rest = tuple(item for item in fields if item.entity != entity)
                fields = rest + with_membership(mine, groups)
            existing = replace(existing, groups=groups, fields=fields) if self.target.scope.writes_fields else existing
        return existing

    def _reread_groups(self, groups: tuple[FieldGroup, ...], entity: str) -> tuple[FieldGroup, ...]:
        return tuple(group for group in groups if group.entity != entity) + self.reader.groups(entity)

    def checked(self, existing: Snapshot) -> Snapshot:
        """Returns the reading with what was held back; raises BadAnswer for one that cannot be true."""
        existing = replace(existing, held=self.reader.held)
        if doubt := incomplete_reading(self.target.desired, existing, self.known):
            raise BadAnswer(doubt, account=self.target.subdomain)
        return existing

    def _with_descriptions(self, pipelines: tuple[Pipeline, ...]) -> tuple[Pipeline, ...]:
        """Reads descriptions only where the master has some: a request per pipeline."""
        wanted = {
            Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            for pipeline, stage in self.target.desired.stages()
            if stage.descriptions and not stage.is_system
        }
        if not wanted or not self.target.scope.writes_pipelines:
            return pipelines
        keys = match(
            Snapshot(self.target.desired.pipelines), Snapshot(pipelines, held=self.reader.held), self.known
        ).keys
        described = {int(keys[ref]) for ref in wanted if ref in keys}
        return self.reader.with_descriptions(pipelines, described)


def touched_lists(changes: Iterable[Change]) -> set[tuple[Kind, str]]:
    """Returns what to read again: (kind, entity); a field that changes its group changes the group's list too."""
    touched: set[tuple[Kind, str]] = set()
    for change in changes:
        kind = change.ref.kind
        entity = change.ref.key.partition("/")[0] if kind in OF_FIELDS else ""
        touched.add((Kind.CUSTOM_FIELD if kind is Kind.ENUM else kind, entity))
        if kind is Kind.CUSTOM_FIELD and change.action is Action.UPDATE and "group" in change.fields:
            touched.add((Kind.FIELD_GROUP, entity))
        if kind is Kind.FIELD_GROUP and change.action is Action.DELETE:
            touched.add((Kind.CUSTOM_FIELD, entity))  # those that came into it meanwhile are in the main group now
    return touched
