"""Reads of the list of invite links: which of them somebody looks for, and how many are in each state."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.kommo.texts import storable_id
from accounts.models import (
    RELATED_INTEGRATION_SECRETS,
    RELATED_SECRETS,
    Integration,
    Invite,
    InviteState,
    SyncGroup,
    is_called,
)
from accounts.services.connecting.invites import usable
from accounts.text_search import any_finds
from syncing.selectors.filters import ListFilters, an_id_of, one_of
from syncing.selectors.runs import StateCount, state_counts

NOT_SENT = "not_sent"  # as a state: those that can be used, but whose e-mail could not be sent
SORTS: Mapping[str, tuple[str, ...]] = {"": ("-pk",), "oldest": ("pk",), "expires": ("expires_at", "pk")}


@dataclass(frozen=True)
class InviteListFilters(ListFilters):
    """What somebody looks for. `account`: a subdomain."""

    state: str = one_of(NOT_SENT, *InviteState.values)
    group: str = an_id_of(SyncGroup)
    account: str = ""
    integration: str = an_id_of(Integration)
    sort: str = one_of(*SORTS)


def found_invites(filters: InviteListFilters, *, in_any_state: bool = False) -> QuerySet[Invite]:
    """Returns the links that are looked for, each with its account; `has_newer`: another can be used instead."""
    found = Invite.objects.order_by(*SORTS[filters.sort])
    if filters.state and not in_any_state:
        found = found.filter(_conditions()[filters.state])
    if filters.group:
        found = found.filter(account__group=storable_id(filters.group))
    if filters.integration:
        found = found.filter(integration=storable_id(filters.integration))
    if filters.account:
        found = found.filter(account__subdomain=filters.account)
    if text := filters.q:
        found = found.filter(is_called(text, "account__") | any_finds(text, "email", "created_by__username"))
    others = Invite.objects.filter(usable(), account=OuterRef("account"), pk__gt=OuterRef("pk")).order_by()
    found = found.select_related("account__group", "integration", "created_by")
    return found.defer(*RELATED_SECRETS, *RELATED_INTEGRATION_SECRETS).annotate(has_newer=Exists(others))


def states_of(filters: InviteListFilters) -> tuple[tuple[StateCount, ...], int]:
    """Returns how many of the links are in each state, and of how many the e-mail could not be sent."""
    found = found_invites(filters, in_any_state=True).order_by()
    counts = {state: Count("pk", filter=condition) for state, condition in _conditions().items()}
    numbers = found.aggregate(**counts)
    return state_counts(numbers, InviteState), numbers[NOT_SENT]


def _conditions() -> dict[str, Q]:
    unused = Q(used_at=None)
    return {
        InviteState.OPEN.value: usable(),
        InviteState.USED.value: ~unused,
        InviteState.WITHDRAWN.value: unused & Q(withdrawn_at__isnull=False),
        InviteState.EXPIRED.value: unused & Q(withdrawn_at=None, expires_at__lte=timezone.now()),
        NOT_SENT: usable() & ~Q(send_error=""),
    }
