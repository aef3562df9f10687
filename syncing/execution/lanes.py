"""A lane: claims account runs into its threads for a slice of time, and keeps their leases alive meanwhile."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from accounts import clock
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


def work(
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
    lane = LaneAtWork(name, slice_s, threads, stop, run_id, replicate)
    try:
        while lane.turn():
            if on_progress:
                on_progress()
    finally:
        lane.leave()
    return has_work(run_id)


def has_work(run_id: int | None = None) -> bool:
    """True when a lane could begin something now."""
    if claims.claimable(run_id).exists():
        return True
    return any(_is_next(run, foreground=run_id is not None) for run in claims.unread(run_id).select_related("group"))


def _is_next(run: SyncRun, *, foreground: bool) -> bool:
    """True when the run may begin; and when that cannot be told: the lane that takes it up ends it then."""
    with survived(f"run {run.pk}"):
        return not order.look_ahead(run, foreground=foreground).waits_for
    return True


class LaneAtWork:
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

    # -- one turn --

    def turn(self) -> bool:
        """Looks at everything once and waits for a moment; False when there is nothing left to do here."""
        self._beat()
        self._collect()
        self._heed()
        if not self._is_ending:
            self._take()
        if self._free == self._threads:
            return False
        self._wait()
        return True

    def _wait(self) -> None:
        """Until something in work is done, or it is time to look again."""
        futures: list[Future[Any]] = [*self._tasks, *self._masters]
        wait(futures, timeout=conf.TICK, return_when=FIRST_COMPLETED)

    def leave(self) -> None:
        """Hands back what is still there and ends the threads."""
        self._interrupt(StopReason.HANDED_BACK)
        try:
            while self._tasks or self._masters:
                self._beat()
                self._wait()
                self._collect()
        finally:  # the database may be away: then no thread stays behind either
            self._pool.shutdown()
            self._watch.end()
            self._recorder.close()

    @property
    def _is_ending(self) -> bool:
        return self._asked_to_stop.is_set() or self._stop.is_set or time.monotonic() > self._ends

    # -- leases --

    def _beat(self) -> None:
        """Every sixth of a lease: extends the leases, shows progress, notices lost claims, cancels and blocks."""
        if time.monotonic() < self._beat_due:
            return
        self._beat_due = time.monotonic() + conf.heartbeat()
        began = self._watch.moment()
        processes.beat(self.name)
        self._beat_accounts()
        self._beat_masters()
        self._watch.beaten(began)
        if not self._stop.is_set and ip_block.happened_since(self._began):
            self._announced = True  # by who met it; once more would end the runs that began since
            self._stop.set(StopReason.IP_BLOCKED)

    def _beat_accounts(self) -> None:
        held = {task.claim.account_run_id: task for task in self._tasks.values()}
        if not held:
            return
        fences = claims.extend_accounts(list(held), self.name)
        cancelled = claims.cancelled_runs({task.claim.run_id for task in held.values()})
        for pk, task in held.items():
            if fences.get(pk) != task.claim.fence:
                task.interrupt(StopReason.LOST_CLAIM)  # or just finished: then nobody hears it
            elif task.claim.run_id in cancelled:
                task.interrupt(StopReason.CANCELLED)
            elif task.note != task.shown:
                task.shown = task.note
                self._recorder.show(task.claim, task.requests, task.note)

    def _beat_masters(self) -> None:
        kept = claims.extend_masters([held.claim for held in self._masters.values()])
        for held in self._masters.values():
            if held.claim.run_id not in kept:
                held.stop.set(StopReason.LOST_CLAIM)

    # -- stopping --

    def _heed(self) -> None:
        """Stops what is in work: asked from outside, blocked, or far beyond the slice."""
        if self._stop.reason == StopReason.IP_BLOCKED and not self._announced:
            self._announced = True
            logger.error("Kommo blocked this machine's IP address: everything is stopped")
            ip_block.announce()
        if self._asked_to_stop.is_set() or time.monotonic() > self._ends + conf.OVERTIME:
            self._interrupt(StopReason.HANDED_BACK)

    def _interrupt(self, code: str) -> None:
        for stop in [held.stop for held in self._tasks.values()] + [held.stop for held in self._masters.values()]:
            stop.set(code)

    # -- what is done --

    def _collect(self) -> None:
        done = [future for future in self._tasks if future.done()]
        ended = {self._tasks[future].claim.run_id for future in done}
        in_trouble = {self._tasks[each].claim.run_id for each in done if self._tasks[each].ended_by in rests.WEATHER}
        for future in done:
            self._look_due = 0.0  # what ended may have been what others waited for
            self._log_if_unstored(self._tasks.pop(future), future)
        for run_id in in_trouble:
            with bounded(partial(close.fail_inside, run_id)):
                rests.weigh(run_id)
        for run_id in ended - {task.claim.run_id for task in self._tasks.values()}:
            with bounded(partial(close.fail_inside, run_id)):
                if waves.settle(run_id):
                    promotion.follow(run_id)
        for reading in [future for future in self._masters if future.done()]:
            self._look_due = 0.0
            held = self._masters.pop(reading)
            with bounded(partial(close.fail_inside, held.claim.run_id)):
                self._settle(held, reading)

    def _log_if_unstored(self, task: AccountTask, future: Future[None]) -> None:
        """The end of an attempt could not even be stored: its lease runs out, the reaper takes it up."""
        error = future.exception()
        if error is not None:
            logger.error("run %s: %s was not stored", task.claim.run_id, task.account.subdomain, exc_info=error)

    def _settle(self, held: MasterTask, future: Future[list[MasterReading]]) -> None:
        error = future.exception()
        if error is not None:
            master.failed_inside(held.claim, error)
            return
        with bounded(partial(master.failed_inside, held.claim)):
            if master.settle(held.claim, held.request, future.result()) and self.run_id is None:
                dispatch.call_lanes()  # the others had nothing to do while the master was read

    # -- what is new --

    def _take(self) -> None:
        """Fills free threads, masters first: every second, and at once when something ended or nothing is in work."""
        idle = self._free == self._threads
        if not self._free or (time.monotonic() < self._look_due and not idle):
            return
        self._look_due = time.monotonic() + conf.LOOK
        if idle or time.monotonic() >= self._masters_due:
            self._masters_due = time.monotonic() + conf.LOOK
            self._take_masters()
        self._take_accounts()

    def _take_masters(self) -> None:
        for run in claims.unread(self.run_id).select_related("group"):
            with bounded(partial(close.fail_inside, run.pk)):
                if self._free:
                    self._take_master(run)

    def _take_master(self, run: SyncRun) -> None:
        ahead = order.look_ahead(run, foreground=self.run_id is not None)
        order.supersede(ahead.dead, by=run)
        claim = None if ahead.waits_for else claims.claim_master(run, foreground=self.run_id is not None)
        if claim is None:
            return
        request = None
        with bounded(partial(master.failed_inside, claim)):
            request = master.prepare(claim, run)
        if request is not None:
            held = MasterTask(claim, request, Stop(self._stop))
            self._masters[self._pool.submit(master_reading.read, request, held.stop)] = held

    def _take_accounts(self) -> None:
        taken = claims.claim_accounts(self.name, self._free, self.run_id) if self._free else []
        for task in self._loader.load(taken) if taken else ():
            self._tasks[self._pool.submit(task.work, self._replicate)] = task

    @property
    def _free(self) -> int:
        return self._threads - len(self._tasks) - len(self._masters)
