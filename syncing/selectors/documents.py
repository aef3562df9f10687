"""The run as one JSON document: what `sync_all --json` prints and the REST API answers (design.md section 8)."""

from typing import Any

from django.utils import timezone

from accounts.models import RELATED_SECRETS, Account
from syncing.models import RUN_OPEN, AccountRun, AccountState, SyncRun

LISTS = ("changes", "extras", "conflicts", "manual")


def run_document(run: SyncRun, with_changes: bool = True) -> dict[str, Any]:
    """The document of a run, open or ended; without changes the lists of each account are left out."""
    parts = AccountRun.objects.filter(run=run).select_related("account").order_by("account__subdomain")
    parts = parts.defer(*RELATED_SECRETS) if with_changes else parts.defer("document", *RELATED_SECRETS)
    accounts = [account_document(part, with_changes) for part in parts]
    states = [account["state"] for account in accounts]
    return {
        "run": run.pk,
        "type": run.type,
        "mode": run.mode,
        "state": run.state,
        "reason": run.reason or None,
        "error": run.error,
        "duration_s": duration(run),
        "master": {"subdomain": _master(run), "requests": run.master_requests},
        "totals": {state: states.count(state) for state in AccountState.values},
        "accounts": accounts,
    }


def account_document(part: AccountRun, with_changes: bool = True) -> dict[str, Any]:
    """One account's part of the document."""
    document = {
        "subdomain": part.account.subdomain,
        "state": part.state,
        "reason": part.reason or None,
        "requests": part.requests,
        "created": part.created,
        "updated": part.updated,
        "deleted": part.deleted,
        "adopted": part.adopted,
    }
    if with_changes:
        document |= {name: part.document.get(name, []) for name in LISTS}
    return document | {"note": part.note or None, "error": part.error}


def failed_document(code: str, message: str, remedy: str, **known: Any) -> dict[str, Any]:
    """The document when no run could be made."""
    return {
        "run": None,
        "type": known.get("type"),
        "mode": known.get("mode"),
        "state": "failed",
        "reason": None,
        "error": {"code": code, "message": message, "remedy": remedy},
        "duration_s": 0.0,
        "master": None,
        "totals": dict.fromkeys(AccountState.values, 0),
        "accounts": [],
    }


def duration(run: SyncRun) -> float:
    """Seconds from the start to the end, or until now; 0 when it waits."""
    if run.started_at is None:
        return 0.0
    end = run.finished_at or (timezone.now() if run.state in RUN_OPEN else run.started_at)
    return round(max(0.0, (end - run.started_at).total_seconds()), 1)


def _master(run: SyncRun) -> str | None:
    masters = Account.objects.filter(group=run.group_id, role=Account.Role.MASTER)
    return masters.values_list("subdomain", flat=True).first()
