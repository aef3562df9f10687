"""Ends a run: its state comes from its own rows and is written once, by whoever comes last."""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Sum
from django.utils.translation import gettext_noop

from accounts import clock
from accounts.log_context import log_ids
from syncing.error_boundary import INTERNAL_REMEDY, where
from syncing.models import (
    ACCOUNT_BAD,
    ACCOUNT_OPEN,
    RUN_OPEN,
    AccountRun,
    AccountState,
    LogEntry,
    RunMode,
    RunState,
    SyncRun,
    master_unread,
)
from syncing.notifications import notices
from syncing.records.log import log
from syncing.records.run_totals import count_ended
from syncing.records.text import error_document, short

logger = logging.getLogger(__name__)

State = AccountState
SUCCESSFUL = {
    RunMode.PLAN: ({State.PLANNED, State.IN_SYNC}, RunState.PLANNED),
    RunMode.APPLY: ({State.CHANGED, State.IN_SYNC}, RunState.SUCCEEDED),
}
WORTH_SOMETHING = {State.PLANNED, State.CHANGED, State.IN_SYNC, State.PARTIAL}
NO_WAVE_WAITS = {"note": "", "wave_held": False, "wave_due_at": None}


def close_run(run_id: int) -> bool:
    """Ends the run if no account of it is open any more; True for the one caller who ended it.

    One conditional UPDATE decides; who wins writes the totals in the same statement and tells who wants to know.
    """
    rows = AccountRun.objects.filter(run=run_id)
    if rows.filter(state__in=ACCOUNT_OPEN).exists():
        return False
    run = SyncRun.objects.get(pk=run_id)
    counts = Counter(dict(rows.values_list("state").annotate(Count("pk")).order_by()))
    state = verdict(run, counts)
    reason, error = _cause(run, state, rows)
    still_open = AccountRun.objects.filter(run=OuterRef("pk"), state__in=ACCOUNT_OPEN)
    ended = SyncRun.objects.filter(~Exists(still_open), pk=run_id, state__in=RUN_OPEN)
    columns = {"state": state, "reason": reason, "error": error, "totals": totals(rows, counts), **NO_WAVE_WAITS}
    with log_ids(run=run.pk, group=run.group_id), transaction.atomic():
        won = ended.update(**columns, lease_until=None, finished_at=clock.now())
        if won:
            count_ended(run_id)
            run.refresh_from_db()
            level = LogEntry.Level.INFO if run.state in notices.WELL else LogEntry.Level.WARNING
            numbers = {name: number for name, number in counts.items() if number}
            facts = {"state": run.state, "reason": run.reason, "reasons": _reasons_of(run, rows), "accounts": numbers}
            facts["summary"] = notices.summary(run)
            log(run.pk, "%(summary)s", facts=facts, code="run_ended", level=level)
            notices.run_ended(run)
    return bool(won)


def _reasons_of(run: SyncRun, rows: QuerySet[AccountRun]) -> int:
    """Returns how many reasons the accounts have that did not do all they should; 0 if the run has one of its own."""
    reasons = set(rows.filter(state__in=ACCOUNT_BAD).exclude(reason="").values_list("reason", flat=True))
    return len(reasons) if run.reason in ("", *reasons) else 0


def verdict(run: SyncRun, counts: Mapping[str, int]) -> RunState:
    """Returns the state of a run whose accounts have ended: success only if all are good.

    That is guarantee 7 of docs/lifecycle.md.
    """
    if run.reason:  # the master was not read, or not accepted
        return RunState.REFUSED if run.reason == "guard" else RunState.FAILED
    states = {state for state, count in counts.items() if count}
    good, success = SUCCESSFUL[RunMode(run.mode)]
    if states and states <= good:
        return success
    if State.CANCELLED in states:
        return RunState.CANCELLED
    if states == {State.REFUSED}:
        return RunState.REFUSED
    return RunState.PARTIAL if states & WORTH_SOMETHING else RunState.FAILED


def totals(rows: QuerySet[AccountRun], counts: Mapping[str, int]) -> dict[str, Any]:
    """Counts the accounts by state, and sums up what was done."""
    columns = ("created", "updated", "deleted", "adopted", "requests")
    sums = rows.aggregate(**{f"all_{column}": Sum(column) for column in columns})
    ended = [state for state in AccountState.values if state not in ACCOUNT_OPEN]
    return {state: counts.get(state, 0) for state in ended} | {column: sums[f"all_{column}"] or 0 for column in columns}


def _cause(run: SyncRun, state: RunState, rows: QuerySet[AccountRun]) -> tuple[str, dict[str, str] | None]:
    """Returns reason and error of the run: its own, or those of the account that says most about the failure."""
    if run.error and not run.reason:  # stopped between two waves: what was done before stands, so it is not refused
        return run.error["code"], run.error
    if run.reason or state not in (RunState.FAILED, RunState.REFUSED):
        return run.reason, run.error
    reasons = rows.exclude(reason="").order_by("finished_at", "pk")
    first = reasons.filter(reason="ip_blocked").first() or reasons.exclude(reason="paused").first() or reasons.first()
    return (first.reason, first.error) if first else ("", None)


def end_accounts(
    run: SyncRun | int, state: AccountState, reason: str, *, note: str = "", error: dict[str, str] | None = None
) -> int:
    """Ends every account run of `run` (a run, or its key) that waits; those that are being worked are not touched."""
    waiting = AccountRun.objects.filter(run=run, state=AccountState.QUEUED)
    return waiting.update(
        state=state, reason=reason, note=short(note), error=error, finished_at=clock.now(), lease_until=None
    )


def end_without_master(run: SyncRun, reason: str, error: dict[str, str]) -> bool:
    """Ends a run whose master could not be read or was not accepted: no slave was asked; False when it has ended."""
    with transaction.atomic():
        held = SyncRun.objects.filter(master_unread(), pk=run.pk, state__in=RUN_OPEN)
        if not held.update(reason=reason, error=error, lease_until=None):
            return False
        end_accounts(run, AccountState.SKIPPED, reason)
    log(run.pk, error["message"], code=reason, level="error")
    return close_run(run.pk)


def end_by_own_error(run_id: int, error: BaseException) -> None:
    """Ends a run that cannot be judged, by an error of our own: what waits is skipped, what is in work ends first.

    The last resort, so that no run is met with the same error for ever: it reads nothing that may be odd.
    """
    logger.error("run %s: error of our own", run_id, exc_info=error, extra={"run": run_id})
    document = error_document(
        "internal", gettext_noop("The run could not be judged: %(where)s.") % {"where": where(error)}, INTERNAL_REMEDY
    )
    mine, rows = SyncRun.objects.filter(pk=run_id, state__in=RUN_OPEN), AccountRun.objects.filter(run=run_id)
    in_work = Exists(AccountRun.objects.filter(run=OuterRef("pk"), state=AccountState.RUNNING))
    with transaction.atomic():
        if not mine.update(error=document, **NO_WAVE_WAITS):
            return
        log(run_id, document["message"], code="internal", level="error")
        end_accounts(run_id, State.SKIPPED, "internal")
        counts = dict(rows.values_list("state").annotate(Count("pk")).order_by())
        columns = {"state": RunState.FAILED, "reason": "internal", "totals": totals(rows, counts)}
        if mine.filter(~in_work).update(**columns, lease_until=None, finished_at=clock.now()):
            count_ended(run_id)
            notices.run_broke(run_id)
