"""Who decided what, when and why: the one place that writes it down."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.contrib.auth.models import User

from accounts.models import Account, SyncGroup
from syncing import store
from syncing.models import ApiKey, AuditEntry, SyncRun, Trigger

LONGEST_REASON = 500  # characters, as in the model


@dataclass(frozen=True)
class Actor:
    """Who did it, and by which door (`via`: a value of Trigger)."""

    name: str
    via: str

    @classmethod
    def of_user(cls, user: User, via: str) -> Self:
        return cls(user.get_username(), via)

    @classmethod
    def of_key(cls, api_key: ApiKey) -> Self:
        return cls(api_key.name, Trigger.API)


COMMAND = Actor("command line", Trigger.COMMAND)
API = Actor("REST API", Trigger.API)
WEBHOOK = Actor("webhook", Trigger.WEBHOOK)
SCHEDULE = Actor("schedule", Trigger.SCHEDULE)


def note(
    action: str,
    *,
    by: Actor,
    run: SyncRun | None = None,
    group: SyncGroup | None = None,
    account: Account | None = None,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Adds an entry; to be called in the transaction of what it speaks of. The group is that of the run, if any."""
    group = group or (run.group if run else None)
    return AuditEntry.objects.create(
        action=action,
        actor=store.clean(by.name)[:150],
        via=by.via,
        run=run.pk if run else None,
        group=group.name if group else "",
        account=account.subdomain if account else "",
        reason=tidy(reason),
        details=store.clean(details or {}),
    )


def tidy(reason: str) -> str:
    """A reason as it is kept."""
    return str(store.clean(reason)).strip()[:LONGEST_REASON]
