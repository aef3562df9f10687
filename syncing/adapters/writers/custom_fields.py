"""Write custom fields: new ones and changed ones in batches, with options, required stages and order."""

from collections.abc import Iterator, Sequence

from syncing.adapters import batches, endpoints
from syncing.adapters.answers import adopt, aligned, new_items, option_keys
from syncing.adapters.api import Json
from syncing.adapters.batches import Entry
from syncing.adapters.bodies import new_field_body
from syncing.adapters.context import WriteContext
from syncing.adapters.parsing import parse_field
from syncing.adapters.repairs import OPTIONAL_OF_NEW_FIELD
from syncing.adapters.sorting import RefOrKey, sort_numbers
from syncing.adapters.writers.field_updates import FieldUpdates
from syncing.engine.changes import Action, Change
from syncing.engine.refs import Kind, Ref, field_key, group_key
from syncing.engine.resources.custom_fields import ENTITIES, CustomField
from syncing.engine.resources.field_groups import DEFAULT_GROUP

HIGHEST_SORT = 1_000_000


def write(context: WriteContext) -> None:
    for entity in ENTITIES:
        _Fields(context, entity).write()


class _Fields:
    """The fields of one entity."""

    def __init__(self, context: WriteContext, entity: str) -> None:
        self.context, self.entity = context, entity
        self.ours = self._by_key(context.desired.fields or ())
        self.theirs = self._by_key(context.existing.fields or ())
        self.names = {key: ref for ref, key in context.plan.match.keys.items() if ref.kind is Kind.CUSTOM_FIELD}

    def _by_key(self, fields: Sequence[CustomField]) -> dict[str, CustomField]:
        return {field_key(item.entity, item.id): item for item in fields if item.entity == self.entity}

    def write(self) -> None:
        creates = self._mine(Action.CREATE)
        updates = self._mine(Action.UPDATE)
        homeless = [change for change in creates + updates if not self._has_group(change)]
        self.context.skip(homeless, "Its field group was not made.")
        creates = [change for change in creates if change not in homeless]
        updates = [change for change in updates if change not in homeless]
        sorts = self._sorts(creates, updates)
        self._create(creates, sorts)
        FieldUpdates(self.context, self.entity, self.ours, self.theirs, sorts).write(updates)

    def _mine(self, action: Action) -> list[Change]:
        prefix = self.entity + "/"
        return [
            change for change in self.context.changes(Kind.CUSTOM_FIELD, action) if change.ref.key.startswith(prefix)
        ]

    def _has_group(self, change: Change) -> bool:
        group = self.context.item(change.ref).attributes.get("group")
        return "group" not in change.fields or group is None or group in self.context.ids

    # -- create --

    def _create(self, changes: Sequence[Change], sorts: dict[RefOrKey, int]) -> None:
        entries = [Entry(change, self._new_body(change, sorts)) for change in changes]
        batches.create(
            entries, self._send, self._find, self._done, self.context.fail_entry, self.context.settle,
            self.context.creation_repair(OPTIONAL_OF_NEW_FIELD),
        )  # fmt: skip

    def _new_body(self, change: Change, sorts: dict[RefOrKey, int]) -> Json:
        ours = self.ours[change.ref.key]
        return new_field_body(self.context.item(change.ref), ours, sorts.get(change.ref, ours.sort), self.context.ids)

    def _send(self, bodies: list[Json]) -> list[Json]:
        answer = self.context.api.post(endpoints.custom_fields(self.entity), bodies)
        return aligned(answer, "custom_fields", bodies, self._parse)

    def _find(self, chunk: Sequence[Entry[Change]]) -> dict[int, Json | None]:
        items = self.context.api.get_all(endpoints.custom_fields(self.entity), "custom_fields")
        before = set(self.theirs) | self.context.present_keys(Kind.CUSTOM_FIELD, f"{self.entity}/")
        return adopt(chunk, new_items(items, before, lambda item: field_key(self.entity, item["id"]), self._parse))

    def _parse(self, item: Json) -> CustomField:
        return parse_field(self.entity, item)

    def _done(self, answered: Sequence[tuple[Entry[Change], Json]]) -> None:
        self.context.report([
            self.context.succeeded(entry.subject, self._keys(entry, self._parse(item)))
            for entry, item in answered
        ])  # fmt: skip
        for entry, _ in answered:
            self.context.report_refused_parts(entry)

    def _keys(self, entry: Entry[Change], made: CustomField) -> dict[Ref, str]:
        """The new field's key and those of its options."""
        ref = entry.subject.ref
        options = option_keys(self.ours[ref.key], entry.body, made, (), self.context.ids)
        return {ref: field_key(self.entity, made.id), **options}

    # -- order --

    def _sorts(self, creates: Sequence[Change], updates: Sequence[Change]) -> dict[RefOrKey, int]:
        placing = {change.ref for change in creates}
        placing |= {change.ref for change in updates if {"position", "group"} & set(change.fields)}
        sorts: dict[RefOrKey, int] = {}
        for name, target in self._sequences():
            mine = placing & set(target)
            if mine:
                members = self._members(name)
                here = {token for token, _ in members}
                wanted = [ref for ref in target if ref in here or ref in mine]
                rewrite = self.context.rewrite_order and any(ref in self.context.plan.match.keys for ref in mine)
                current = [pair for pair in members if pair[0] not in placing or pair[0] in mine]
                wished = {ref: self.ours[ref.key].sort for ref in wanted}
                sorts |= sort_numbers(current, wanted, mine, wished, HIGHEST_SORT, rewrite=rewrite)
        return sorts

    def _sequences(self) -> Iterator[tuple[str, tuple[Ref, ...]]]:
        prefix = f"fields of {self.entity}/"
        for name, refs in self.context.plan.orders.items():
            if name.startswith(prefix):
                yield name, refs

    def _members(self, name: str) -> list[tuple[RefOrKey, int]]:
        """The fields that are in this group of the slave now, in order."""
        group = self.context.ids.get(Ref(Kind.FIELD_GROUP, name.removeprefix("fields of ")))
        inside = [
            item for item in self.theirs.values()
            if group_key(self.entity, item.group_id or DEFAULT_GROUP) == group
        ]  # fmt: skip
        ordered = sorted(inside, key=lambda item: (item.sort, item.id))
        keys = [field_key(self.entity, item.id) for item in ordered]
        return [(self.names.get(key, key), item.sort) for key, item in zip(keys, ordered, strict=True)]
