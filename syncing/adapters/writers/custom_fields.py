"""Write custom fields: new ones and changed ones in batches, with options, required stages and order."""

from collections.abc import Sequence

from syncing.adapters import batches, endpoints
from syncing.adapters.answers import option_keys
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import Entry
from syncing.adapters.bodies import new_field_body
from syncing.adapters.context import WriteContext
from syncing.adapters.parsing import parse_field
from syncing.adapters.repairs import OPTIONAL_OF_NEW_FIELD
from syncing.adapters.sorting import RefOrKey, sort_numbers
from syncing.adapters.writers.field_updates import FieldUpdates
from syncing.adapters.writers.list_writer import ListWriter
from syncing.engine.changes import Action, Change
from syncing.engine.refs import Kind, Ref, field_key, group_key
from syncing.engine.resources.custom_fields import ENTITIES, CustomField
from syncing.engine.resources.field_groups import DEFAULT_GROUP
from syncing.engine.sentences import gettext_noop

HIGHEST_SORT = 1_000_000


def write(context: WriteContext) -> None:
    for entity in ENTITIES:
        _Fields(context, entity).write()


class _Fields(ListWriter):
    """The fields of one entity."""

    kind, list_name, optional, page_size = Kind.CUSTOM_FIELD, "custom_fields", OPTIONAL_OF_NEW_FIELD, 250

    def __init__(self, context: WriteContext, entity: str) -> None:
        self.entity = entity
        self.ours = self._by_key(context.desired.fields or ())
        self.theirs = self._by_key(context.existing.fields or ())
        super().__init__(context, endpoints.custom_fields(entity), self.theirs, f"{entity}/")

    def _by_key(self, fields: Sequence[CustomField]) -> dict[str, CustomField]:
        return {field_key(item.entity, item.id): item for item in fields if item.entity == self.entity}

    def write(self) -> None:
        creates = self.context.changes(self.kind, Action.CREATE, self.inside)
        updates = self.context.changes(self.kind, Action.UPDATE, self.inside)
        groups = {change.ref: self.context.item(change.ref).attributes.get("group") for change in creates + updates}
        known = {None, *self.context.ids}
        homeless = [
            change for change in creates + updates if "group" in change.fields and groups[change.ref] not in known
        ]
        self.context.skip(homeless, gettext_noop("Its field group was not created."))
        creates = [change for change in creates if change not in homeless]
        updates = [change for change in updates if change not in homeless]
        sorts = self._sorts(creates, updates)
        entries = []
        for change in creates:
            ours, item = self.ours[change.ref.key], self.context.item(change.ref)
            sort = sorts.get(change.ref, ours.sort)
            entries.append(Entry(change, new_field_body(item, ours, sort, self.context.ids)))
        batches.create(entries, self)
        FieldUpdates(self.context, self.entity, self.ours, self.theirs, sorts).write(updates)

    # -- create --

    def parse(self, item: Json) -> CustomField:
        return parse_field(self.entity, item)

    def key_of(self, item: Json) -> str:
        return field_key(self.entity, item["id"])

    def keys(self, entry: Entry[Change], answer: Json) -> dict[Ref, str]:
        """Returns the new field's key and those of its options."""
        ref, created = entry.subject.ref, self.parse(answer)
        options = option_keys(self.ours[ref.key], entry.body, created, (), self.context.ids)
        return {ref: field_key(self.entity, created.id), **options}

    # -- order --

    def _sorts(self, creates: Sequence[Change], updates: Sequence[Change]) -> dict[RefOrKey, int]:
        placing = {change.ref for change in creates}
        placing |= {change.ref for change in updates if {"position", "group"} & set(change.fields)}
        refs = self.context.refs_by_key(self.kind)
        sorts: dict[RefOrKey, int] = {}
        for name, target in self.context.plan.orders.items():
            mine = placing & set(target)
            if not mine or not name.startswith(f"fields of {self.inside}"):
                continue
            group = self.context.ids.get(Ref(Kind.FIELD_GROUP, name.removeprefix("fields of ")))
            inside = [  # the fields that are in this group of the slave now
                item for item in self.theirs.values()
                if group_key(self.entity, item.group_id or DEFAULT_GROUP) == group
            ]  # fmt: skip
            members: list[tuple[RefOrKey, int]] = []
            for item in sorted(inside, key=lambda item: (item.sort, item.id)):
                key = field_key(self.entity, item.id)
                members.append((refs.get(key, key), item.sort))
            here = {item for item, _ in members}
            wanted = [ref for ref in target if ref in here or ref in mine]
            rewrite = self.context.rewrite_order and any(ref in self.context.plan.match.keys for ref in mine)
            current = [pair for pair in members if pair[0] not in placing or pair[0] in mine]
            wished = {ref: self.ours[ref.key].sort for ref in wanted}
            sorts |= sort_numbers(current, wanted, mine, wished, HIGHEST_SORT, rewrite=rewrite)
        return sorts
