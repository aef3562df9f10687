"""Reads about accounts for programs: what is known of each, without a secret."""

from typing import Any

from django.db.models import QuerySet

from accounts.kommo.texts import storable
from accounts.models import SECRETS, Account, SyncGroup, is_called
from syncing.selectors.runs import with_last_run


def listed_accounts(
    group: SyncGroup | None = None,
    *,
    role: str | None = None,
    health: str | None = None,
    text: str = "",
    after: int | None = None,
) -> QuerySet[Any]:
    """Returns the accounts in the order in which they were added; `text`: a part of their name or subdomain."""
    accounts = with_last_run(Account.objects.select_related("group").defer(*SECRETS)).order_by("pk")
    wanted = {"group": group, "role": role, "health": health, "pk__gt": after}
    accounts = accounts.filter(**{name: value for name, value in wanted.items() if value is not None})
    if storable(text) != text:
        return accounts.none()
    return accounts.filter(is_called(text)) if text else accounts


def account_status(account: Any) -> dict[str, Any]:
    """Returns what `GET /api/sync/status` tells of an account that has `with_last_run`."""
    return {
        "subdomain": account.subdomain,
        "name": account.name,
        "role": account.role,
        "paused": account.is_paused,
        "health": account.health,
        "health_reason": account.health_reason or None,
        "checked_at": account.checked_at,
        "token_expires_at": account.token_expires_at,
        "state": account.last_state,
        "reason": account.last_reason or None,
    }


def account_row(account: Any) -> dict[str, Any]:
    """Returns the row of a list: the same, with the group, for who sees no groups beside it."""
    return {
        **account_status(account),
        "group": account.group.name,
        "kommo_id": account.kommo_id,
        "pilot": account.is_pilot,
        "paused_until": account.paused_until,
    }
