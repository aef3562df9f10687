"""Repairs what died: leases that ran out, runs nobody closed, lanes that are missing, rows that are old."""

from collections.abc import Callable
from functools import partial

from django.db.models import Exists, OuterRef, QuerySet

from accounts import clock
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
    AccountState,
    SyncRun,
)
from syncing.records import retention
from syncing.records.retention import prune_logs
from syncing.records.text import error_document
from syncing.services import promotion
from syncing.services.runs import close, order, waves

ORPHANED = "the process that worked this run has died"
TOO_MANY_READS = error_document(
    "internal",
    f"The worker died {conf.MAX_CRASHES} times while it read the master.",
    "Look for the cause in the worker's log (memory, restarts), then run again.",
)


def reap() -> dict[str, int]:
    """One round; gives how much of each there was to do. May run anywhere, any number of times at once."""
    return {name: _number(name, repair) for name, repair in _repairs().items()}


def _repairs() -> dict[str, Callable[[], int]]:
    return {
        "set_back": clocks.pull_in,
        "released": claims.release_expired,
        "cancelled": _cancel_stragglers,
        "ended": lambda: _end_hopeless() + _end_orphans(),
        "waves": _decide_about_waves,
        "closed": _close_finished,
        "drift": drift_checks.start_due,
        "lanes": _call_lanes,
        "checks": bulk_check.resume,
        "buried": processes.bury,
        "promoted": promotion.follow_up,
        "pruned": lambda: retention.prune_slave_snapshots() + prune_logs() + retention.prune_drift_changes(),
    }


def _number(name: str, repair: Callable[[], int]) -> int:
    """What one repair had to do; one that fails keeps no other from being done."""
    with survived(f"the repair of what is {name}"):
        return repair()
    return 0


def _each(runs: QuerySet[SyncRun], act: Callable[[SyncRun], int]) -> int:
    """`act` for each of the runs; one that cannot be judged ends, the others go on."""
    count = 0
    for run in list(runs.select_related("group").order_by("pk")):
        with bounded(partial(close.fail_inside, run.pk)):
            count += act(run)
    return count


def _cancel_stragglers() -> int:
    """Account runs that went back to the queue at the very moment somebody cancelled."""
    waiting = AccountRun.objects.filter(state=AccountState.QUEUED, run__cancel_requested_at__isnull=False)
    return AccountRun.objects.filter(pk__in=waiting.values("pk"), state=AccountState.QUEUED).update(
        state=AccountState.CANCELLED, reason="cancelled", finished_at=clock.now()
    )


def _end_hopeless() -> int:
    """Runs whose master killed every process that read it."""
    runs = claims.unread().filter(attempts__gte=conf.MAX_CRASHES)
    return _each(runs, lambda run: close.end_without_master(run, "internal", TOO_MANY_READS))


def _end_orphans() -> int:
    """Runs of commands whose process died: nobody else will work them."""
    runs = SyncRun.objects.filter(state__in=RUN_OPEN, queued_to_workers=False)
    return _each(runs, _end_if_dead)


def _end_if_dead(run: SyncRun) -> bool:
    return not order.why_alive(run, foreground=False) and order.end_dead(run, ORPHANED)


def _decide_about_waves() -> int:
    """Waves that have ended: whoever came last died before the next one was decided about."""
    return _each(waves.finished(), lambda run: waves.advance(run.pk))


def _close_finished() -> int:
    """Open runs whose accounts have all ended: whoever came last died before it could close them."""
    still_open = AccountRun.objects.filter(run=OuterRef("pk"), state__in=ACCOUNT_OPEN)
    done = SyncRun.objects.filter(~Exists(still_open), state__in=RUN_OPEN)
    return _each(done, lambda run: close.close_run(run.pk))


def _call_lanes() -> int:
    return dispatch.call_lanes() if lanes.has_work() else 0
