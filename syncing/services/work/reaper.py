"""Repairs what died: leases that ran out, runs nobody closed, lanes that are missing, rows that are old."""

from collections.abc import Callable
from functools import partial

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from accounts import clock
from accounts.models import SyncGroup
from accounts.services.health import bulk_check
from syncing import conf, store
from syncing.leases import claims, clocks, dispatch, processes
from syncing.models import (
    ACCOUNT_OPEN,
    RUN_OPEN,
    AccountRun,
    AccountState,
    LogEntry,
    MasterSnapshot,
    SyncRun,
)
from syncing.services.decisions import promotion
from syncing.services.drift import checks as drift_checks
from syncing.services.drift import seen as drift
from syncing.services.runs import closing, sequence, waves
from syncing.services.work import keeping, lanes
from syncing.services.work.boundary import bounded, survived

ORPHANED = "the process that worked this run has died"
TOO_MANY_READS = store.problem(
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
        "pruned": lambda: keeping.prune() + _prune() + drift.prune(),
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
        with bounded(partial(closing.fail_inside, run.pk)):
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
    return _each(runs, lambda run: closing.end_without_master(run, "internal", TOO_MANY_READS))


def _end_orphans() -> int:
    """Runs of commands whose process died: nobody else will work them."""
    runs = SyncRun.objects.filter(state__in=RUN_OPEN, queued_to_workers=False)
    return _each(runs, _end_if_dead)


def _end_if_dead(run: SyncRun) -> bool:
    return not sequence.why_alive(run, foreground=False) and sequence.end_dead(run, ORPHANED)


def _decide_about_waves() -> int:
    """Waves that have ended: whoever came last died before the next one was decided about."""
    return _each(waves.finished(), lambda run: waves.advance(run.pk))


def _close_finished() -> int:
    """Open runs whose accounts have all ended: whoever came last died before it could close them."""
    still_open = AccountRun.objects.filter(run=OuterRef("pk"), state__in=ACCOUNT_OPEN)
    done = SyncRun.objects.filter(~Exists(still_open), state__in=RUN_OPEN)
    return _each(done, lambda run: closing.close_run(run.pk))


def _call_lanes() -> int:
    return dispatch.call_lanes() if lanes.has_work() else 0


def _prune() -> int:
    """Log entries of old runs, and master snapshots that no run and no guard needs any more.

    An open run keeps both, however many have overtaken it while it waits for its next wave; so does one that can be
    rolled back.
    """
    count = 0
    for group in SyncGroup.objects.values_list("pk", flat=True):
        runs = SyncRun.objects.filter(group=group).exclude(state__in=RUN_OPEN).order_by("-pk")
        oldest = runs.values_list("pk", flat=True)[conf.KEEP_LOGS_OF : conf.KEEP_LOGS_OF + 1].first()
        if oldest is None:
            continue
        old = LogEntry.objects.filter(run__group=group, run__lte=oldest)
        count += old.exclude(run__state__in=RUN_OPEN).exclude(run__in=keeping.kept_runs().values("pk")).delete()[0]
        count += _prune_snapshots(group, oldest)
    return count


def _prune_snapshots(group: int, oldest: int) -> int:
    ours = MasterSnapshot.objects.filter(group=group)
    wanted = SyncRun.objects.filter(Q(pk__gt=oldest) | Q(state__in=RUN_OPEN), group=group, snapshot__isnull=False)
    kept = keeping.kept_runs().filter(group=group, snapshot__isnull=False)
    accepted = ours.filter(accepted=True).order_by()  # the guard compares with the latest of each type
    latest = accepted.values("type").annotate(pk_max=Max("pk")).values("pk_max")
    old = ours.exclude(pk__in=wanted.values("snapshot")).exclude(pk__in=kept.values("snapshot"))
    return old.exclude(pk__in=latest).exclude(pk__in=drift.bases()).delete()[0]
