"""The state of everything for machines: `GET /api/sync/status`, and what keeps the process from working."""

import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from accounts.database import AWAY, trouble_of
from accounts.fields import cipher
from accounts.models import SECRETS, Account
from accounts.services.keys import unreadable_secrets
from accounts.services.readiness import check_writable
from syncing.models import SyncRun
from syncing.selectors.automation import automation_state, overdue
from syncing.selectors.runs import RunProgress, last_runs, progress_of, with_last_run
from syncing.selectors.watch import watch_document

logger = logging.getLogger(__name__)


def status() -> dict[str, Any]:
    """Returns what is overdue, and every group with its last run and its accounts with the state of theirs."""
    accounts: dict[int, list[dict[str, Any]]] = {}
    for account in with_last_run(Account.objects.defer(*SECRETS)):
        accounts.setdefault(account.group_id, []).append(
            {
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
        )
    runs = last_runs()
    progress = progress_of(runs)
    last = {run.group_id: _run_document(run, progress[run.pk]) for run in runs}
    automation = automation_state()
    return {
        "overdue": [trouble.document for trouble in overdue(automation)],
        "groups": [
            {
                "name": group.name,
                "last_run": last.get(group.pk),
                "watch": watch_document(group, automation.watchers.get(group.pk), automation.moment),
                "accounts": accounts.get(group.pk, []),
            }
            for group in automation.groups
        ],
    }


def _run_document(run: SyncRun, progress: RunProgress) -> dict[str, Any]:
    return {
        "run": run.pk,
        "type": run.type,
        "mode": run.mode,
        "state": run.state,
        "reason": run.reason or None,
        "error": run.error,
        "trigger": run.trigger,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "done": progress.done,
        "total": progress.total,
        "totals": {entry.state: entry.count for entry in progress.states},
    }


def problems() -> list[str]:
    """Returns sentences, without secrets, that say why this process cannot work; none when it can."""
    sentences = []
    try:
        cipher()
        # A wrong key is to be seen here, not in the middle of a run; which accounts, `doctor` tells.
        if lost := unreadable_secrets():
            sentences.append(f"FIELD_ENCRYPTION_KEYS does not open {len(lost)} of the stored secrets: run `doctor`.")
        check_writable()
    except ImproperlyConfigured as error:
        sentences.append(str(error))
    except DatabaseError as error:
        logger.error("not ready", exc_info=error)
        trouble = trouble_of(error) or AWAY
        sentences.append(f"{trouble.message} {trouble.remedy}")
    return sentences
