"""Creations that were sent and not seen since."""

from collections.abc import Iterable, Mapping

from syncing.engine.pending import ListKey, Pending
from syncing.engine.refs import Kind, Ref
from syncing.models import PendingCreation
from syncing.records.bulk import matching


def pending_creations(account_ids: Iterable[int]) -> dict[int, dict[ListKey, Pending]]:
    """Returns for each account the creations that were sent and not seen since."""
    by_account: dict[int, dict[ListKey, Pending]] = {account_id: {} for account_id in account_ids}
    for row in PendingCreation.objects.filter(account_id__in=list(by_account)).order_by():
        kind = Kind(row.kind)
        refs = frozenset(Ref(kind, key) for key in row.master_keys)
        by_account[row.account_id][kind, row.place] = Pending(refs, frozenset(row.before))
    return by_account


def store_pending(account_id: int, pending: Mapping[ListKey, Pending | None]) -> None:
    """Stores pending creations; forgets those that are None, as they are settled. Must run in a transaction."""
    if not pending:
        return
    PendingCreation.objects.filter(
        matching((kind, "place", place) for kind, place in pending), account=account_id
    ).delete()
    PendingCreation.objects.bulk_create(
        PendingCreation(
            account_id=account_id,
            kind=kind.value,
            place=place,
            master_keys=sorted(ref.key for ref in each.refs),
            before=sorted(each.before),
        )
        for (kind, place), each in pending.items()
        if each is not None
    )
