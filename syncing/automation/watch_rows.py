"""Rows of the watchers: what they know of their masters, what keeps them from acting, and the state that is shown."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from accounts import clock
from accounts.models import Account, SyncGroup, WatchMode, pause_is_on
from syncing import windows
from syncing.engine.refs import Scope
from syncing.engine.watching import PendingChange, collections_of, grace
from syncing.execution.sync import stored_master
from syncing.models import (
    REVIEWED,
    RUN_OPEN,
    MasterSnapshot,
    RunMode,
    RunPurpose,
    RunState,
    SyncRun,
    Trigger,
    Watch,
    WatchState,
)
from syncing.services.approvals import is_approvable
from syncing.services.runs.holds import why_held

NOT_BROUGHT = (RunState.FAILED, RunState.REFUSED, RunState.CANCELLED)
NO_CHANGE: Mapping[str, Any] = {
    "pending_fingerprint": "",
    "pending_since": None,
    "pending_read_at": None,
    "told_fingerprint": "",
}
NO_KNOWLEDGE: Mapping[str, Any] = {
    "looks": 0,
    "collections": {},
    "fingerprint": "",
    "run": None,
    **NO_CHANGE,
    "last_look": None,
    "last_change": None,
    "failures": 0,
    "problem": "",
}


def row_of(group: SyncGroup, master: Account | None) -> Watch:
    """Returns the row of a group; without knowledge when its watcher was switched on or off, or its master swapped."""
    row, _ = Watch.objects.select_related("run").get_or_create(group=group)
    was_switched = (row.state == WatchState.OFF) != (group.watch == WatchMode.OFF)
    if was_switched or (master is not None and row.master_id != master.pk):
        times: dict[str, Any] = {"state": WatchState.OFF, "next_look": None, "due_at": None}
        if group.watch != WatchMode.OFF:
            moment = clock.now()
            times = {"state": WatchState.IDLE, "next_look": moment, "due_at": moment + grace(group.look_seconds)}
        # Of two processes that notice it the second changes nothing: the first may be looking already.
        unnoticed = Watch.objects.filter(pk=row.pk, state=row.state, master=row.master_id)
        unnoticed.update(**NO_KNOWLEDGE, **times, master=master)
        row.refresh_from_db()
    return row


def learn_of_runs(row: Watch, scope: Scope | None) -> None:
    """Takes note of what became of runs since; nothing is stored.

    A later run may have brought the master, as it was then, to the whole group. And the run that was started for the
    last change may have ended before it had a master, as its process died: then nothing was done for that change, and
    a look at the whole master is to find it again.
    """
    if scope is None:
        return
    if row.run is not None and _came_to_nothing(row.run):
        assign(row, {"run": None, "fingerprint": "", "collections": {}})
    brought = SyncRun.objects.filter(
        pk__gt=row.run_id or 0,
        group=row.group_id,
        purpose=RunPurpose.SYNC,
        mode=RunMode.APPLY,
        state=RunState.SUCCEEDED,
        whole_group=True,
        snapshot__type=scope,
    ).exclude(trigger=Trigger.HEAL)  # that puts single items back
    run = brought.select_related("snapshot").defer("snapshot__document").order_by("-pk").first()
    if run is not None and run.snapshot is not None:
        row.run, row.fingerprint = run, run.snapshot.fingerprint
        if row.pending_fingerprint == row.fingerprint:
            assign(row, NO_CHANGE)


def _came_to_nothing(run: SyncRun) -> bool:
    """Tells whether a run ended without a master, and neither a person, a guard nor an error of ours wanted that."""
    lost = run.state == RunState.FAILED and run.reason != "internal"
    superseded = run.state == RunState.CANCELLED and run.cancel_requested_at is None
    return run.trigger == Trigger.WATCH and run.snapshot_id is None and (lost or superseded)


def brought_collections(row: Watch, scope: Scope) -> Mapping[str, str]:
    """Returns the digests of the master that a run has brought; nothing if there is none, or it cannot be read."""
    snapshot = MasterSnapshot.objects.filter(runs=row.run_id).first() if row.run_id else None
    master = None if snapshot is None else stored_master(snapshot)
    return {} if master is None else collections_of(master, scope)


def assign(row: Watch, columns: Mapping[str, Any]) -> None:
    """Sets attributes; nothing is stored."""
    for name, value in columns.items():
        setattr(row, name, value)


# -- a change that waits --


def pending_of(row: Watch) -> PendingChange | None:
    if not row.pending_fingerprint or row.pending_since is None or row.pending_read_at is None:
        return None
    return PendingChange(row.pending_fingerprint, row.pending_since, row.pending_read_at)


def set_pending(row: Watch, pending: PendingChange) -> None:
    row.pending_fingerprint, row.pending_since, row.pending_read_at = (
        pending.fingerprint,
        pending.since,
        pending.read_at,
    )


def quiet_of(group: SyncGroup) -> timedelta:
    return timedelta(seconds=group.quiet_seconds)


def is_ripe(row: Watch, group: SyncGroup, moment: datetime) -> bool:
    """Tells whether a change waits, and its quiet period is over."""
    pending = pending_of(row)
    return pending is not None and moment >= pending.ripe_at(quiet_of(group))


def is_told(row: Watch, group: SyncGroup) -> bool:
    """Tells whether nothing more follows from the change that waits, as long as it stays the same."""
    if group.watch == WatchMode.REPORT:
        return bool(row.pending_fingerprint) and row.told_fingerprint == row.pending_fingerprint
    return group.watch == WatchMode.OFF


def waits_for_run(group: SyncGroup) -> bool:
    """Tells whether no run of the watcher could begin now: another one is in the way, or there is no slave to work.

    A run that may not begin itself (it waits for a window, say) lets others pass.
    """
    if group.watch not in (WatchMode.PLAN, WatchMode.APPLY):
        return False
    open_runs = SyncRun.objects.filter(group=group, state__in=RUN_OPEN).select_related("group")
    if not all(why_held(run) for run in open_runs):
        return True
    return not Account.objects.filter(~pause_is_on(), group=group, role=Account.Role.SLAVE).exists()


def frozen_until(group: SyncGroup, moment: datetime) -> datetime | None:
    """Returns when a change may be written again; None if it may now, or nothing would be written."""
    if group.watch != WatchMode.APPLY or group.requires_approval:
        return None
    return windows.frozen_until(group, moment)


# -- what is shown --


def state_of(row: Watch, group: SyncGroup, master: Account | None, moment: datetime) -> WatchState:
    """Returns the state that tells most. That it is overdue is told by who reads it (`selectors/watch.py`)."""
    if group.watch == WatchMode.OFF:
        return WatchState.OFF
    if group.is_paused or (master is not None and master.is_paused):
        return WatchState.PAUSED
    if row.failures:
        return WatchState.UNREADABLE
    if SyncRun.objects.filter(group=group, trigger=Trigger.WATCH, state__in=RUN_OPEN).exists():
        return WatchState.RUNNING
    if row.pending_fingerprint:
        return WatchState.FROZEN if frozen_until(group, moment) else WatchState.CHANGED
    # Whatever became of runs before the one that has brought the master, nothing waits for it.
    current = SyncRun.objects.filter(group=group, trigger__in=REVIEWED, pk__gte=row.run_id or 0).order_by("-pk")
    plan = current.filter(mode=RunMode.PLAN).first()
    if plan is not None and is_approvable(plan):
        return WatchState.PLAN_WAITS
    # With a snapshot it was accounts that failed: they are tried again.
    if current.filter(pk=row.run_id or 0, state__in=NOT_BROUGHT, snapshot=None).exists():
        return WatchState.CHANGED
    return WatchState.IDLE
