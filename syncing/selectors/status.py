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
from syncing.selectors.accounts import account_status
from syncing.selectors.automation import automation_state, overdue
from syncing.selectors.runs import last_runs, run_rows, with_last_run
from syncing.selectors.watch import watch_document
from syncing.selectors.windows import frozen_groups

logger = logging.getLogger(__name__)


def status() -> dict[str, Any]:
    """Returns what is overdue, and every group with its last run and its accounts with the state of theirs."""
    accounts: dict[int, list[dict[str, Any]]] = {}
    for account in with_last_run(Account.objects.defer(*SECRETS)):
        accounts.setdefault(account.group_id, []).append(account_status(account))
    runs = last_runs()
    last = {run.group_id: row for run, row in zip(runs, run_rows(runs), strict=True)}
    automation = automation_state()
    frozen = frozen_groups(automation.groups, automation.moment)
    return {
        "overdue": [trouble.document for trouble in overdue(automation)],
        "groups": [
            {
                "name": group.name,
                "last_run": last.get(group.pk),
                "paused_until": group.paused_until if group.is_paused_at(automation.moment) else None,
                "frozen_until": frozen.get(group.pk),
                "watch": watch_document(group, automation.watchers.get(group.pk), automation.moment),
                "accounts": accounts.get(group.pk, []),
            }
            for group in automation.groups
        ],
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
