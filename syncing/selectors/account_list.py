"""The list of accounts: what each needs at a glance, filtered by what its address says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone

from accounts import expiry
from accounts.kommo.texts import storable_id
from accounts.models import HEALTH_FINE, NEEDS_CONNECTING, SECRETS, Account, SyncGroup, is_called, pause_is_on
from syncing.models import ACCOUNT_BAD, AccountState, Standing
from syncing.selectors.drift import CAUSES, EDITED, EDITED_CAUSE
from syncing.selectors.filters import ListFilters, an_id_of, one_of
from syncing.selectors.runs import with_last_run
from syncing.selectors.standing import with_standing

NEVER = "never"  # as a last state: no run was about it
BAD_HEALTH = "bad"  # as a health: all that need somebody
BAD_END = "bad"  # as a last state: the last run did not do all of it
SORTS: Mapping[str, tuple[Any, ...]] = {
    "name": ("role", "shown_name", "pk"),
    "drift": (F("drift__count").desc(nulls_last=True), "shown_name", "pk"),
    "health": ("health", "shown_name", "pk"),
    "token": (F("token_expires_at").asc(nulls_last=True), "shown_name", "pk"),
}


@dataclass(frozen=True)
class AccountListFilters(ListFilters):
    """What somebody looks for; the names are those of the admin's list."""

    group: str = an_id_of(SyncGroup)
    role: str = one_of(*Account.Role.values)
    health: str = one_of(BAD_HEALTH, *Account.Health.values)
    drift: str = one_of(*Standing.values, *CAUSES, EDITED_CAUSE)
    last_state: str = one_of(NEVER, BAD_END, *AccountState.values)
    token: str = one_of("soon", "expired", "connect")
    paused: str = one_of("yes", "no")
    pilot: str = one_of("yes", "no")
    sort: str = one_of(*SORTS)


@dataclass(frozen=True)
class AccountCounts:
    """How many accounts there are, and how many of each kind that needs somebody."""

    total: int
    bad: int
    connect: int
    drifted: int
    edited: int
    failed: int
    paused: int


def account_list(filters: AccountListFilters) -> QuerySet[Any]:
    """Selects the accounts that are looked for."""
    accounts: QuerySet[Any] = with_last_run(Account.objects.select_related("group"))
    accounts = with_standing(accounts, timezone.now()).defer(*SECRETS)
    for name, value in filters.values.items():
        if name != "sort":
            accounts = accounts.filter(_filter(name, value))
    accounts = accounts.annotate(shown_name=Coalesce(NullIf("name", Value("")), "subdomain"))
    return accounts.order_by(*SORTS[filters.sort or "name"])


def account_counts(group: int | None = None) -> AccountCounts:
    """Counts all accounts, or those of one group, in one query."""
    accounts = with_standing(with_last_run(Account.objects.all()), timezone.now()).order_by()
    if group is not None:
        accounts = accounts.filter(group=group)
    kinds = {
        "bad": _filter("health", BAD_HEALTH),
        "connect": NEEDS_CONNECTING,
        "drifted": _filter("drift", "drifted"),
        "edited": EDITED,
        "failed": _filter("last_state", BAD_END),
        "paused": pause_is_on(),
    }
    counts = {name: Count("pk", filter=condition) for name, condition in kinds.items()}
    return AccountCounts(**accounts.aggregate(total=Count("pk"), **counts))


def _filter(name: str, value: str) -> Q:
    """Returns the condition of one filter of the list."""
    if name == "q":
        number = storable_id(value)
        return is_called(value) | Q(kommo_id=number) if number else is_called(value)
    if name in ("paused", "pilot"):
        condition = pause_is_on() if name == "paused" else Q(is_pilot=True)
        return condition if value == "yes" else ~condition
    if name == "group":
        return Q(group=storable_id(value))
    if name == "health":
        return ~Q(health__in=HEALTH_FINE) if value == BAD_HEALTH else Q(health=value)
    if name == "last_state":
        return {NEVER: Q(last_state=None), BAD_END: Q(last_state__in=ACCOUNT_BAD)}.get(value, Q(last_state=value))
    if name == "token":
        now = timezone.now()
        return {"soon": expiry.expiring(now), "expired": expiry.expired(now), "connect": NEEDS_CONNECTING}[value]
    return _drift(value) if name == "drift" else Q(role=value)


def _drift(value: str) -> Q:
    if value in CAUSES:
        return Q(**{f"drift__by_{value}__gt": 0})
    if value == EDITED_CAUSE:
        return EDITED
    return Q(standing=value, role=Account.Role.SLAVE)
