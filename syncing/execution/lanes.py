"""A lane: claims account runs into its threads for a slice of time, and keeps their leases alive meanwhile."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial
from typing import Any

from accounts import clock, request_counts
from accounts.kommo.stopping import Stop, StopReason
from syncing import conf, replication
from syncing.error_boundary import bounded, survived
from syncing.execution import ip_block, master, master_reading
from syncing.execution.account_task import AccountTask, LeaseWatch, Replicate
from syncing.execution.loading import Loader
from syncing.execution.master_reading import MasterReading, MasterTask
from syncing.execution.recorder import Recorder
from syncing.execution.stop_signs import StopSign
from syncing.leases import claims, dispatch, processes
from syncing.models import SyncRun
from syncing.services import promotion
from syncing.services.runs import close, order, rests, waves

logger = logging.getLogger(__name__)


def run_lane(
    *,
    name: str,
    slice_s: float,
    threads: int,
    stop: StopSign,
    run_id: int | None = None,
    on_progress: Callable[[], None] | None = None,
    replicate: Replicate = replication.replicate,
) -> bool:
    """Works what there is (only `run_id`, if given) until nothing is left or the slice is over; True: there is more.

    `name` has its row (`leases.processes`). When `stop` is set, accounts in work go back to the queue between requests.
    """
    lane = RunningLane(name, slice_s, threads, stop, run_id, replicate)
    try:
        while lane.turn():
            if on_progress:
                on_progress()
    finally:
        lane.leave()
    return has_claimable(run_id)


def has_claimable(run_id: int | None = None) -> bool:
    """Tells if a lane could begin something now."""
    if claims.claimable(run_id).exists():
        return True
    for run in claims.unread(run_id).select_related("group"):
        with survived(f"run {run.pk}", run=run.pk):
            if order.look_ahead(run, foreground=run_id is not None).waits_for:
                continue
        return True  # also when that cannot be told: the lane that takes it up ends it then
    return False


class RunningLane:
    """One lane. Its own thread does all that is needed of the database but the writes of the accounts in work."""

    def __init__(
        self, name: str, slice_s: float, threads: int, stop: StopSign, run_id: int | None, replicate: Replicate
    ) -> None:
        self.name = name
        self.run_id = run_id
        self._replicate = replicate
        self._asked_to_stop = stop
        self._threads = threads
        self._began = clock.now()
        self._ends = time.monotonic() + slice_s
        self._beat_due = 0.0
        self._look_due = 0.0
        self._masters_due = 0.0
        self._watch = LeaseWatch()
        self._stop = self._watch.stop
        self._recorder = Recorder()
        self._loader = Loader(self._recorder, self._watch, self._stop)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="account")
        self._tasks: dict[Future[None], AccountTask] = {}
        self._masters: dict[Future[list[MasterReading]], MasterTask] = {}
        self._announced = False

    def turn(self) -> bool:
        """Looks at everything once and waits for a moment; False when there is nothing left to do here."""
        self._beat()
        self._collect_accounts()
        self._collect_masters()
        if self._stop.reason == StopReason.IP_BLOCKED and not self._announced:
            self._announced = True
            logger.error("Kommo blocked this machine's IP address: everything is stopped")
            ip_block.announce()
        if self._asked_to_stop.is_set() or time.monotonic() > self._ends + conf.OVERTIME:
            self._interrupt(StopReason.HANDED_BACK)
        if not (self._asked_to_stop.is_set() or self._stop.is_set or time.monotonic() > self._ends):
            self._take()
        if self._free == self._threads:
            return False
        self._wait()
        return True

    def leave(self) -> None:
        """Hands back what is still there and ends the threads."""
        self._interrupt(StopReason.HANDED_BACK)
        try:
            while self._tasks or self._masters:
                self._beat()
                self._wait()
                self._collect_accounts()
                self._collect_masters()
            request_counts.flush()
        finally:  # the database may be away: then no thread stays behind either
            self._pool.shutdown()
            self._watch.end()
            self._recorder.close()

    def _wait(self) -> None:
        """Waits until something in work is done, or it is time to look again."""
        futures: list[Future[Any]] = [*self._tasks, *self._masters]
        wait(futures, timeout=conf.TICK, return_when=FIRST_COMPLETED)

    def _interrupt(self, reason: StopReason) -> None:
        """Has everything in work stop before its next request; a wait for a turn ends at once."""
        for stop in [task.stop for task in self._tasks.values()] + [task.stop for task in self._masters.values()]:
            stop.set(reason)

    # -- leases --

    def _beat(self) -> None:
        """Extends the leases, shows progress, notices lost claims, cancels and blocks; every sixth of a lease."""
        if time.monotonic() < self._beat_due:
            return
        self._beat_due = time.monotonic() + conf.heartbeat()
        began = self._watch.moment()
        processes.beat(self.name)
        self._extend_leases()
        self._watch.leases_extended(began)
        request_counts.flush()
        if not self._stop.is_set and ip_block.happened_since(self._began):
            self._announced = True  # by who met it; once more would end the runs that began since
            self._stop.set(StopReason.IP_BLOCKED)

    def _extend_leases(self) -> None:
        """Extends the leases in hand; stops what was cancelled or lost, and shows how far the others are."""
        held = {task.claim.account_run_id: task for task in self._tasks.values()}
        fences = claims.extend_accounts(list(held), self.name) if held else {}
        cancelled = claims.cancelled_runs({task.claim.run_id for task in held.values()}) if held else set()
        for pk, task in held.items():
            if fences.get(pk) != task.claim.fence:
                task.stop.set(StopReason.LOST_CLAIM)  # or just finished: then nobody hears it
            elif task.claim.run_id in cancelled:
                task.stop.set(StopReason.CANCELLED)
            elif task.note != task.shown_note:
                task.shown_note = task.note
                self._recorder.show(task.claim, task.requests, task.note)
        still_ours = claims.extend_masters([master.claim for master in self._masters.values()])
        for master_task in self._masters.values():
            if master_task.claim.run_id not in still_ours:
                master_task.stop.set(StopReason.LOST_CLAIM)

    # -- what is done --

    def _collect_accounts(self) -> None:
        """Takes leave of accounts that are done; lets their runs rest, go on with the next wave, or end."""
        done = {future: self._tasks.pop(future) for future in list(self._tasks) if future.done()}
        for future, task in done.items():
            error = future.exception()
            if error is not None:  # the end could not even be stored: its lease runs out, the reaper takes it up
                subdomain = task.account.subdomain
                ids = {"run": task.claim.run_id, "account": task.account.pk}
                logger.error("run %s: %s was not stored", task.claim.run_id, subdomain, exc_info=error, extra=ids)
        for run_id in {task.claim.run_id for task in done.values() if task.ended_by in rests.WEATHER}:
            with bounded(partial(close.end_by_own_error, run_id), run=run_id):
                rests.rest_or_give_up(run_id)
        ended = {task.claim.run_id for task in done.values()}
        for run_id in ended - {task.claim.run_id for task in self._tasks.values()}:
            with bounded(partial(close.end_by_own_error, run_id), run=run_id):
                if waves.advance_or_close(run_id):
                    promotion.follow(run_id)

    def _collect_masters(self) -> None:
        """Settles the masters that were read."""
        for future in [future for future in self._masters if future.done()]:
            held = self._masters.pop(future)
            error = future.exception()
            with bounded(partial(close.end_by_own_error, held.claim.run_id), run=held.claim.run_id):
                if error is not None:
                    master.failed_inside(held.claim, error)
                    continue
                with bounded(partial(master.failed_inside, held.claim)):
                    if master.settle(held.claim, held.request, future.result()) and self.run_id is None:
                        dispatch.call_lanes()  # the others had nothing to do while the master was read

    # -- what is new --

    def _take(self) -> None:
        """Fills free threads, masters first; looks now and then, but at once when nothing is in work."""
        idle = self._free == self._threads
        if not self._free or (time.monotonic() < self._look_due and not idle):
            return
        self._look_due = time.monotonic() + conf.TICK / 2
        if idle or time.monotonic() >= self._masters_due:
            self._masters_due = time.monotonic() + 2 * conf.TICK
            for run in claims.unread(self.run_id).select_related("group"):
                with bounded(partial(close.end_by_own_error, run.pk), run=run.pk, group=run.group_id):
                    if self._free:
                        self._take_master(run)
        taken = claims.claim_accounts(self.name, self._free, self.run_id) if self._free else []
        for task in self._loader.load(taken) if taken else ():
            self._tasks[self._pool.submit(task.run, self._replicate)] = task

    def _take_master(self, run: SyncRun) -> None:
        """Begins to read the master of a run whose turn it is."""
        is_foreground = self.run_id is not None
        ahead = order.look_ahead(run, foreground=is_foreground)
        order.supersede(ahead.dead, by=run)
        claim = None if ahead.waits_for else claims.claim_master(run, foreground=is_foreground, held=ahead.held)
        if claim is None:
            return
        request = None
        with bounded(partial(master.failed_inside, claim)):
            request = master.prepare(claim, run)
        if request is not None:
            held = MasterTask(claim, request, Stop(self._stop))
            self._masters[self._pool.submit(copy_context().run, master_reading.read, request, held.stop)] = held

    @property
    def _free(self) -> int:
        return self._threads - len(self._tasks) - len(self._masters)
