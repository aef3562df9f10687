"""Repairs what died: leases that ran out, runs nobody closed, lanes that are missing, rows that are old."""

from collections.abc import Callable
from functools import partial

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_noop

from accounts.services.health import bulk_check
from syncing import conf
from syncing.automation import drift_checks
from syncing.error_boundary import bounded, survived
from syncing.execution import lanes
from syncing.leases import claims, clocks, dispatch, processes
from syncing.models import (
    ACCOUNT_OPEN,
    RUN_OPEN,
    AccountRun,
    SyncRun,
)
from syncing.records import retention
from syncing.records.retention import prune_logs
from syncing.records.text import error_document
from syncing.services import promotion
from syncing.services.runs import close, order, waves

ORPHANED = gettext_noop("the process that worked this run has died")
TOO_MANY_READS = error_document(
    "internal",
    gettext_noop("The worker died %(count)s times while it read the master.") % {"count": conf.MAX_CRASHES},
    gettext_noop("Look for the cause in the worker's log (memory, restarts), then run again."),
)


def reap() -> dict[str, int]:
    """Makes one round of repairs; returns how much of each there was to do. May run anywhere, and several at once.

    A repair that fails prevents no other.
    """
    counts = {}
    for name, repair in _repairs().items():
        counts[name] = 0
        with survived(f"the repair of what is {name}"):
            counts[name] = repair()
    return counts


def _repairs() -> dict[str, Callable[[], int]]:
    """Returns all repairs in their order, by name; each returns how much there was to do."""
    still_open = AccountRun.objects.filter(run=OuterRef("pk"), state__in=ACCOUNT_OPEN)
    return {
        "set_back": clocks.pull_in,
        "released": claims.release_expired,
        "cancelled": claims.cancel_stragglers,
        "ended": _end_dead,
        # Of waves and runs that have ended, whoever came last died before the next step.
        "waves": lambda: _each(waves.runs_to_advance(), lambda run: waves.advance(run.pk)),
        "closed": lambda: _each(
            SyncRun.objects.filter(~Exists(still_open), state__in=RUN_OPEN), lambda run: close.close_run(run.pk)
        ),
        "drift": drift_checks.start_due,
        "lanes": lambda: dispatch.call_lanes() if lanes.has_claimable() else 0,
        "checks": bulk_check.resume,
        "buried": processes.bury,
        "promoted": promotion.follow_up,
        "pruned": lambda: retention.prune_slave_snapshots() + prune_logs() + retention.prune_drift_changes(),
        "pruned messages": retention.prune_messages,
        "pruned days": retention.prune_conformity_days,
        "pruned answers": retention.prune_idempotent_answers,
    }


def _each(runs: QuerySet[SyncRun], act: Callable[[SyncRun], int]) -> int:
    """Does `act` for each of the runs; one that cannot be judged ends, the others go on."""
    count = 0
    for run in list(runs.select_related("group").order_by("pk")):
        with bounded(partial(close.end_by_own_error, run.pk), run=run.pk, group=run.group_id):
            count += act(run)
    return count


def _end_dead() -> int:
    """Ends runs whose master killed every process that read it, and runs of commands whose process died."""
    hopeless = claims.unread().filter(attempts__gte=conf.MAX_CRASHES)
    count = _each(hopeless, lambda run: close.end_without_master(run, "internal", TOO_MANY_READS))
    of_commands = SyncRun.objects.filter(state__in=RUN_OPEN, queued_to_workers=False)  # nobody else will work them
    return count + _each(
        of_commands, lambda run: not order.why_alive(run, foreground=False) and order.end_dead(run, ORPHANED)
    )
