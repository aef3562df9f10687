"""Write groups of custom fields."""

from collections.abc import Sequence
from functools import partial

from syncing.adapters import batches, endpoints
from syncing.adapters.answers import adopt, aligned, new_items
from syncing.adapters.api import Json
from syncing.adapters.batches import Entry
from syncing.adapters.context import WriteContext
from syncing.adapters.parsing import ordinary_groups, parse_group
from syncing.adapters.repairs import OptionalParts
from syncing.adapters.sorting import RefOrKey, in_order, sort_numbers
from syncing.engine.changes import Action, Change
from syncing.engine.refs import Kind, Ref, group_key, local_id
from syncing.engine.resources.custom_fields import ENTITIES

HIGHEST_SORT = 1_000_000


def write(context: WriteContext) -> None:
    for entity in ENTITIES:
        creates = [change for change in context.changes(Kind.FIELD_GROUP, Action.CREATE) if _of(change.ref, entity)]
        updates = [change for change in context.changes(Kind.FIELD_GROUP, Action.UPDATE) if _of(change.ref, entity)]
        if creates or updates:
            _write_entity(context, entity, creates, updates)


def _of(ref: Ref, entity: str) -> bool:
    return ref.key.startswith(entity + "/")


def _write_entity(context: WriteContext, entity: str, creates: Sequence[Change], updates: Sequence[Change]) -> None:
    sorts = _sorts(context, entity, creates, updates)
    parse = partial(parse_group, entity)
    entries = [
        Entry(change, {"name": context.item(change.ref).attributes["name"], "sort": sorts[change.ref]})
        for change in creates
    ]

    def send(bodies: list[Json]) -> list[Json]:
        answer = context.api.post(endpoints.field_groups(entity), bodies)
        return aligned(answer, "custom_field_groups", bodies, parse)

    def find(chunk: Sequence[Entry[Change]]) -> dict[int, Json | None]:
        items = context.api.get_all(endpoints.field_groups(entity), "custom_field_groups", page_size=None)
        ours = [group for group in context.existing.groups or () if group.entity == entity]
        before = {group_key(entity, group.id) for group in ours} | context.present_keys(Kind.FIELD_GROUP, f"{entity}/")
        groups = ordinary_groups(items)
        return adopt(chunk, new_items(groups, before, lambda item: group_key(entity, str(item["id"])), parse))

    def done(answered: Sequence[tuple[Entry[Change], Json]]) -> None:
        context.report([
            context.succeeded(entry.subject, {entry.subject.ref: group_key(entity, str(item["id"]))})
            for entry, item in answered
        ])  # fmt: skip

    repair = context.creation_repair(frozenset({"sort"}))
    batches.create(entries, send, find, done, context.fail_entry, context.settle, repair)
    for change in in_order([*updates, *context.renumbered(sorts, [change.ref for change in updates])], sorts):
        _update(context, entity, change, sorts.get(change.ref))


def _update(context: WriteContext, entity: str, change: Change, sort: int | None) -> None:
    """The list of members is sent as it is: a PATCH without it might empty the group (docs/kommo.md 5.5)."""
    key = context.ids[change.ref]
    group = next(group for group in context.existing.groups or () if group_key(group.entity, group.id) == key)
    body: Json = {"name": context.item(change.ref).attributes["name"], "sort": group.sort if sort is None else sort}
    if group.fields:
        body["fields"] = list(group.fields)
    present = {"name": group.name, "sort": group.sort, "fields": list(group.fields)}
    optional = OptionalParts(frozenset({"fields"}), frozenset(present), present)
    context.patch_one(change, endpoints.field_group(entity, local_id(key)), body, optional)


def _sorts(
    context: WriteContext, entity: str, creates: Sequence[Change], updates: Sequence[Change]
) -> dict[RefOrKey, int]:
    names = {key: ref for ref, key in context.plan.match.keys.items() if ref.kind is Kind.FIELD_GROUP}
    theirs = sorted((g for g in context.existing.groups or () if g.entity == entity), key=lambda g: (g.sort, g.id))
    current: list[tuple[RefOrKey, int]] = [
        (names.get(group_key(entity, group.id), group_key(entity, group.id)), group.sort) for group in theirs
    ]
    moving = [change.ref for change in updates if "position" in change.fields]
    placing = [change.ref for change in creates] + moving
    here = {token for token, _ in current} | set(placing)
    target = [ref for ref in context.plan.orders.get(f"groups of {entity}", ()) if ref in here]
    wished = {
        Ref(Kind.FIELD_GROUP, group_key(group.entity, group.id)): group.sort for group in context.desired.groups or ()
    }
    rewrite = context.rewrite_order and bool(moving)
    return sort_numbers(current, target, placing, wished, HIGHEST_SORT, rewrite=rewrite)
