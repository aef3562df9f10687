"""Writes down who decided what, when and why; nothing else does."""

from collections.abc import Iterable, Mapping
from typing import Any

from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from syncing.models import AuditEntry, SyncRun
from syncing.records.text import clean

LONGEST_REASON = 500  # characters, as in the model
LONGEST_NAME = 80  # of a run, likewise


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
    """Adds an entry; to be called in the transaction of what it records. The group is that of the run, if any."""
    group = group or (run.group if run else None)
    return AuditEntry.objects.create(
        action=action,
        actor=clean(by.name)[:150],
        via=by.via,
        run=run.pk if run else None,
        group=group.name if group else "",
        account=account.subdomain if account else "",
        reason=tidy(reason),
        details=clean(details or {}),
    )


def changes(before: Mapping[str, Any], after: Mapping[str, Any], names: Iterable[str]) -> dict[str, list[Any]]:
    """Returns those of the `names` whose values differ, as the details of an entry tell them: {name: [old, new]}."""
    return {name: [before[name], after[name]] for name in names if before[name] != after[name]}


def tidy(reason: str, longest: int = LONGEST_REASON) -> str:
    """Returns a reason, or a name of at most `longest` characters, as it is stored."""
    return str(clean(reason)).strip()[:longest]
