"""Id mappings: which item of an account is which item of its master."""

from collections.abc import Callable, Container, Iterable, Sequence
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts import clock
from syncing import conf
from syncing.adapters.outcomes import DONE, Outcome
from syncing.engine.refs import CHILD_KIND, Kind, Ref
from syncing.models import IdMapping
from syncing.records.bulk import insert, matching
from syncing.records.text import NAME_LENGTH, clean
from syncing.replication.contract import Mapped


def known_mappings(account_ids: Iterable[int]) -> dict[int, dict[Ref, str]]:
    """Returns for each account: ref -> the slave's key."""
    known: dict[int, dict[Ref, str]] = {account_id: {} for account_id in account_ids}
    rows = IdMapping.objects.filter(account_id__in=list(known)).order_by()
    for account_id, kind, key, slave_key in rows.values_list("account_id", "kind", "master_key", "slave_key"):
        known[account_id][Ref(Kind(kind), key)] = slave_key
    return known


def fresh_mappings(account_ids: Iterable[int]) -> dict[int, frozenset[Ref]]:
    """Returns for each account the refs that were mapped within the last `conf.FRESH` seconds."""
    fresh: dict[int, set[Ref]] = {account_id: set() for account_id in account_ids}
    since = clock.now() - timedelta(seconds=conf.FRESH)
    rows = IdMapping.objects.filter(account_id__in=list(fresh), created_at__gte=since).order_by()
    for account_id, kind, key in rows.values_list("account_id", "kind", "master_key"):
        fresh[account_id].add(Ref(Kind(kind), key))
    return {account_id: frozenset(refs) for account_id, refs in fresh.items()}


# Updates the id mappings, in a transaction: account, outcomes, mappings to store, refs to drop.
Remember = Callable[[int, Sequence[Outcome], Sequence[Mapped], Sequence[Ref]], None]


def remember_slave(
    account_id: int, outcomes: Sequence[Outcome], mapped: Sequence[Mapped], dropped: Sequence[Ref]
) -> None:
    """Stores the id mappings of a slave that is brought to its master."""
    store_mappings(account_id, mapped, dropped)


def remember_rollback(
    account_id: int, outcomes: Sequence[Outcome], mapped: Sequence[Mapped], dropped: Sequence[Ref]
) -> None:
    """Drops the id mappings of what a rollback has deleted; its own map the slave to itself, so none is stored.

    The mappings to the master stay as they were, except for what is gone now; what came back with a new id is
    met by the next sync, by its name.
    """
    gone = [outcome for outcome in outcomes if outcome.action == "delete" and outcome.state == DONE and outcome.key]
    condition = matching((outcome.kind, "slave_key", outcome.key) for outcome in gone)
    for outcome in gone:
        if outcome.kind in CHILD_KIND:
            condition |= Q(kind=CHILD_KIND[Kind(outcome.kind)], slave_key__startswith=f"{outcome.key}/")
    if condition:
        IdMapping.objects.filter(condition, account=account_id).delete()


def store_mappings(account_id: int, mapped: Sequence[Mapped], dropped: Sequence[Ref]) -> None:
    """Drops mappings, then stores others. A slave item that gets a new master item leaves its old one.

    That we created an item is never forgotten, whichever master item it belongs to later. Must run in a transaction.
    """
    latest = {item.ref: item for item in mapped}
    if not dropped:
        try:
            with transaction.atomic():
                return _add(account_id, latest.values(), frozenset())
        except IntegrityError:  # some are known already; on a first sync none is, and looking would cost more
            pass
    ours = IdMapping.objects.filter(account_id=account_id)
    same_items = matching((item.ref.kind, "slave_key", item.slave_key) for item in latest.values())
    by_us = ours.filter(same_items, created_by_us=True) if latest else ours.none()
    created = set(by_us.values_list("kind", "slave_key"))
    gone = matching((ref.kind, "master_key", ref.key) for ref in (*dropped, *latest)) | same_items
    ours.filter(gone).delete()
    return _add(account_id, latest.values(), created)


def _add(account_id: int, items: Iterable[Mapped], created: Container[tuple[str, str]]) -> None:
    """Adds mappings; `created`: (kind, slave key) of items that we created. Raises IntegrityError if one is known."""
    insert(
        IdMapping,
        {"account": account_id, "created_at": timezone.now()},
        ("kind", "master_key", "slave_key", "name", "parent", "created_by_us"),
        [
            (
                item.ref.kind.value,
                item.ref.key,
                item.slave_key,
                clean(item.name)[:NAME_LENGTH],
                clean(item.parent)[:NAME_LENGTH],
                item.created_by_us or (item.ref.kind, item.slave_key) in created,
            )
            for item in items
        ],
    )
