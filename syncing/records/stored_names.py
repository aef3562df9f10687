"""Names that an account shows otherwise than they were sent."""

from collections.abc import Iterable, Mapping

from syncing.engine.refs import Kind
from syncing.engine.stored_names import ItemKey, ShownName
from syncing.models import StoredName
from syncing.records.bulk import insert, matching
from syncing.records.text import clean


def known_names(account_ids: Iterable[int]) -> dict[int, dict[ItemKey, ShownName]]:
    """Returns for each account the names that it shows otherwise than they were sent, by its own keys."""
    by_account: dict[int, dict[ItemKey, ShownName]] = {account_id: {} for account_id in account_ids}
    rows = StoredName.objects.filter(account_id__in=list(by_account)).order_by()
    for account_id, kind, key, sent, shown in rows.values_list("account_id", "kind", "key", "sent", "shown"):
        by_account[account_id][Kind(kind), key] = ShownName(sent, shown)
    return by_account


def store_names(account_id: int, names: Mapping[ItemKey, ShownName | None]) -> None:
    """Stores names; forgets those that are None. Must run in a transaction."""
    if not names:
        return
    StoredName.objects.filter(matching((kind, "key", key) for kind, key in names), account=account_id).delete()
    rows = [(kind.value, key, clean(each.sent), clean(each.shown)) for (kind, key), each in names.items() if each]
    insert(StoredName, {"account": account_id}, ("kind", "key", "sent", "shown"), rows)
