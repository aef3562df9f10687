"""Write groups of custom fields."""

from syncing.adapters import batches, endpoints
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import Entry
from syncing.adapters.context import WriteContext
from syncing.adapters.parsing import ordinary_groups, parse_group
from syncing.adapters.repairs import OptionalParts
from syncing.adapters.sorting import in_order
from syncing.adapters.writers.list_writer import ListWriter
from syncing.adapters.writers.single_patch import patch_one
from syncing.engine.changes import Action, Change
from syncing.engine.refs import Kind, Ref, group_key, local_id
from syncing.engine.resources.custom_fields import ENTITIES
from syncing.engine.resources.field_groups import FieldGroup

HIGHEST_SORT = 1_000_000


def write(context: WriteContext) -> None:
    for entity in ENTITIES:
        _Groups(context, entity).write()


class _Groups(ListWriter):
    """The groups of one entity."""

    kind, list_name, optional = Kind.FIELD_GROUP, "custom_field_groups", frozenset({"sort"})

    def __init__(self, context: WriteContext, entity: str) -> None:
        self.entity = entity
        groups = [group for group in context.existing.groups or () if group.entity == entity]
        self.theirs = {group_key(entity, group.id): group for group in groups}
        super().__init__(context, endpoints.field_groups(entity), self.theirs, f"{entity}/")

    def write(self) -> None:
        creates = self.context.changes(self.kind, Action.CREATE, self.inside)
        updates = self.context.changes(self.kind, Action.UPDATE, self.inside)
        if not creates and not updates:
            return
        # Kommo's own groups are no neighbours that the others need room beside: where those stand is not compared.
        ordinary = [(key, group) for key, group in self.theirs.items() if not group.is_predefined]
        theirs = sorted(ordinary, key=lambda pair: (pair[1].sort, pair[1].id))
        present = [(key, group.sort) for key, group in theirs]
        groups = self.context.desired.groups or ()
        wished = {Ref(self.kind, group_key(group.entity, group.id)): group.sort for group in groups}
        order = f"groups of {self.entity}"
        sorts = self.context.sorts(self.kind, order, present, wished, creates, updates, HIGHEST_SORT, sparing=True)
        updates = [change for change in updates if change.ref in sorts or set(change.fields) != {"position"}]
        names = {change.ref: self.context.item(change.ref).attributes["name"] for change in creates}
        bodies = ({"name": name, "sort": sorts[ref]} for ref, name in names.items())
        batches.create(list(map(Entry, creates, bodies)), self)
        for change in in_order(self.context.with_renumbered(updates, sorts), sorts):
            # The list of members is sent as it is: a PATCH without it might empty the group (docs/kommo.md 5.5).
            group = self.theirs[self.context.ids[change.ref]]
            unchanged: Json = {"name": group.name, "sort": group.sort, "fields": list(group.fields)}
            body = {"name": self.context.item(change.ref).attributes["name"], "sort": sorts.get(change.ref, group.sort)}
            if group.fields:
                body["fields"] = list(group.fields)
            path = endpoints.field_group(self.entity, local_id(self.context.ids[change.ref]))
            optional = OptionalParts(frozenset({"fields"}), frozenset(unchanged), unchanged)
            patch_one(self.context, change, path, body, optional)

    def parse(self, item: Json) -> FieldGroup:
        return parse_group(self.entity, item)

    def key_of(self, item: Json) -> str:
        return group_key(self.entity, str(item["id"]))

    def keys(self, entry: Entry[Change], answer: Json) -> dict[Ref, str]:
        return {entry.subject.ref: self.key_of(answer)}

    def read(self) -> list[Json]:
        return ordinary_groups(super().read())
