"""The id mappings of accounts, for bots, dashboards and other tools, and for who looks up where an id belongs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from accounts.kommo.texts import storable_id
from accounts.models import RELATED_SECRETS, Account, SyncGroup
from accounts.text_search import any_finds
from syncing.engine.refs import Kind, local_id
from syncing.models import IdMapping
from syncing.selectors.filters import ListFilters, an_id_of, one_of

OF_LEADS = (Kind.PIPELINE, Kind.STAGE)
COLUMNS = ("kind", "entity", "name", "parent", "master_id", "slave_id")
HEAD = ("account", *COLUMNS)
SORTS: Mapping[str, tuple[str, ...]] = {
    "": ("kind", "parent", "name", "account__subdomain", "pk"),
    "account": ("account__subdomain", "kind", "parent", "name", "pk"),
    "newest": ("-pk",),
}
AT_A_TIME = 2000  # rows


@dataclass(frozen=True)
class AccountIdFilters(ListFilters):
    """What somebody looks for among the ids of one account. `made`: by KommoSync, or there before it."""

    kind: str = one_of(*Kind)
    made: str = one_of("yes", "no")
    sort: str = one_of("newest")


@dataclass(frozen=True)
class IdListFilters(AccountIdFilters):
    """What somebody looks for among the ids of all accounts. `account`: a subdomain."""

    group: str = an_id_of(SyncGroup)
    account: str = ""
    sort: str = one_of("account", "newest")


def id_map(account: Account) -> list[dict[str, Any]]:
    """Returns `{kind, entity, name, parent, master_id, slave_id}` per item; ids are numbers where Kommo's are."""
    return [id_row(mapping) for mapping in found_ids(AccountIdFilters(), account).iterator(AT_A_TIME)]


def id_row(mapping: IdMapping) -> dict[str, Any]:
    """Returns the values of `COLUMNS`."""
    return {
        "kind": mapping.kind,
        # The keys of the other kinds begin with their entity.
        "entity": "leads" if mapping.kind in OF_LEADS else mapping.master_key.partition("/")[0],
        "name": mapping.name,
        "parent": mapping.parent,
        "master_id": _id(mapping.master_key),
        "slave_id": _id(mapping.slave_key),
    }


def found_ids(
    filters: AccountIdFilters, account: Account | None = None, *, of_any_kind: bool = False
) -> QuerySet[IdMapping]:
    """Returns the mappings that are looked for, of one account or of all, each with its account."""
    mappings = IdMapping.objects.order_by(*SORTS[filters.sort]).filter(_condition(filters))
    if filters.kind and not of_any_kind:
        mappings = mappings.filter(kind=filters.kind)
    if account is not None:
        mappings = mappings.filter(account=account)
    return mappings.select_related("account").defer(*RELATED_SECRETS)


def kind_counts(filters: AccountIdFilters, account: Account | None = None) -> list[tuple[str, int]]:
    """Returns how many mappings there are of each kind, whichever kind is looked for."""
    found = found_ids(filters, account, of_any_kind=True).order_by()
    counts = dict(found.values_list("kind").annotate(n=Count("pk")))
    return [(kind.value, counts[kind.value]) for kind in Kind if kind.value in counts]


def file_rows(filters: IdListFilters) -> Iterator[tuple[Any, ...]]:
    """Yields the cells of what is looked for, under `HEAD`."""
    for mapping in found_ids(filters).iterator(AT_A_TIME):
        yield mapping.account.subdomain, *id_row(mapping).values()


def _condition(filters: AccountIdFilters) -> Q:
    text, wanted = filters.q, Q()
    if text:  # a part of a name, of the parent, or of an id
        wanted &= any_finds(text, "name", "parent") | Q(master_key__contains=text) | Q(slave_key__contains=text)
    if filters.made:
        wanted &= Q(created_by_us=filters.made == "yes")
    if isinstance(filters, IdListFilters):
        if filters.group:
            wanted &= Q(account__group=storable_id(filters.group))
        if filters.account:
            wanted &= Q(account__subdomain=filters.account)
    return wanted


def _id(key: str) -> int | str:
    """Returns the account's own id: a number, or of groups a text like `leads_12`."""
    own = local_id(key)
    return int(own) if own.isdecimal() else own
