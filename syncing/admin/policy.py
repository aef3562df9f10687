"""Audits changes of a policy in the admin, with the values before them."""

from collections.abc import Collection
from typing import Any

from django.http import HttpRequest

from accounts.models import Account, SyncGroup
from accounts.pages import actor_of
from syncing.models import AuditAction
from syncing.services import audit


def note_policy(request: HttpRequest, form: Any, of: SyncGroup | Account, only: Collection[str] | None = None) -> None:
    """Audits the fields of a saved form that changed, old -> new; `only` these, if given. Nothing changed: no entry."""
    changed = {
        name: [form.initial.get(name), form.cleaned_data[name]]
        for name in form.changed_data
        if (only is None or name in only) and form.initial.get(name) != form.cleaned_data[name]
    }
    if not changed:
        return
    account = of if isinstance(of, Account) else None
    audit.note(
        AuditAction.POLICY,
        by=actor_of(request),
        group=of.group if isinstance(of, Account) else of,
        account=account,
        details=changed,
    )
