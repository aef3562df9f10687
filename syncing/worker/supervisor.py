"""`manage.py worker`: keeps one cluster alive, notices when it is wedged, and ends it cleanly."""

import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from accounts.database import NOT_READY, cause_of, trouble_of
from syncing import conf
from syncing.automation.tick import tick
from syncing.execution import lanes, reaper
from syncing.execution.stop_signs import DRAIN_VARIABLE as DRAIN_VARIABLE
from syncing.execution.stop_signs import StopOnSignal
from syncing.leases import claims, clocks, dispatch, processes
from syncing.models import ProcessKind
from syncing.tasks import ensure_schedules
from syncing.worker.cluster import READY_VARIABLE
from syncing.worker.messenger_supervisor import MessengerSupervisor

logger = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "syncing.worker.cluster")
LOOK_EVERY = 0.2  # seconds
GAVE_UP = 1
T = TypeVar("T")


class ClusterProcess:
    """One cluster: its main process leads a session, so that signals to our own group do not reach it."""

    def __init__(self) -> None:
        drain_read, self._drain = os.pipe()
        self._ready, ready_write = os.pipe()
        self._child = subprocess.Popen(  # noqa: S603  (our own module)
            COMMAND,
            cwd=conf.project_dir(),
            env={**os.environ, DRAIN_VARIABLE: str(drain_read), READY_VARIABLE: str(ready_write)},
            pass_fds=(drain_read, ready_write),
            start_new_session=True,
        )
        os.close(drain_read)
        os.close(ready_write)

    @property
    def worker(self) -> str:
        """Returns the name that its lanes go by."""
        return processes.worker_of(self._child.pid)

    @property
    def is_alive(self) -> bool:
        return self._child.poll() is None

    def became_ready(self) -> bool:
        """Returns True once, when its workers are there."""
        if self._ready < 0 or not select.select([self._ready], [], [], 0)[0]:
            return False
        ready = os.read(self._ready, 16) != b""
        os.close(self._ready)
        self._ready = -1
        return ready

    def drain(self) -> None:
        """Asks the lanes to end and the cluster to take nothing more."""
        if self._drain >= 0:
            os.close(self._drain)
            self._drain = -1
        if self.is_alive:
            self._child.terminate()

    def end(self, patience: float) -> bool:
        """Drains, waits so many seconds, then kills the rest; returns True when it ended by itself."""
        self.drain()
        try:
            self._child.wait(patience)
        except subprocess.TimeoutExpired:
            clean = False
        else:
            clean = True
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        if self._ready >= 0:
            os.close(self._ready)
            self._ready = -1
        return clean


class ClusterSupervisor:
    """Starts the cluster again when it died or is wedged, up to RESTARTS times; then gives up with exit code 1."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._name = processes.new_name()
        self._messengers = MessengerSupervisor()
        self._restarts = 0
        self._beat_due = 0.0
        self._tick_due = 0.0
        self._idle_since = time.monotonic()
        self._has_called_lanes = False
        self._is_database_away = False

    def run(self) -> int:
        """Runs until SIGTERM or SIGINT (exit code 0) or too many restarts (1). Waits for a database that is away."""
        with StopOnSignal(once=False) as stop:
            while not self._try(self._register, False):
                if stop.wait(conf.heartbeat()):
                    return 0
            try:
                self._try(reaper.reap, dict[str, int]())
                return self._supervise(stop)
            finally:
                self._try(lambda: processes.leave(self._name), None)

    @transaction.atomic
    def _register(self) -> bool:
        ensure_schedules()
        processes.arrive(self._name, ProcessKind.WORKER)
        return True

    def _try(self, act: Callable[[], T], otherwise: T) -> T:
        """Returns the result of `act`; `otherwise` when the database is away, which is logged once per outage."""
        try:
            result = act()
        except (OperationalError, InterfaceError) as error:
            if trouble_of(error) is NOT_READY:
                raise
            if not self._is_database_away:
                logger.error("the database is away, the worker waits for it: %s", cause_of(error))
            self._is_database_away = True
            self._idle_since = time.monotonic()  # nobody could take a run meanwhile
            connection.close_if_unusable_or_obsolete()
            return otherwise
        if self._is_database_away:
            logger.warning("the database is back")
        self._is_database_away = False
        return result

    def _supervise(self, stop: StopOnSignal) -> int:
        """Looks after the cluster and the messenger until told to stop; returns the exit code."""
        cluster = ClusterProcess()
        try:
            while not stop.wait(LOOK_EVERY):
                if cluster.became_ready():
                    self._say(f"Worker ready: {conf.workers()} lanes, pid {os.getpid()}.")
                if time.monotonic() >= self._tick_due and not self._is_database_away:
                    self._tick_due = time.monotonic() + conf.tick()
                    self._try(tick, dict[str, int]())
                    self._try(self._messengers.start_if_needed, None)
                self._messengers.watch()
                why = self._reason_to_restart(cluster)
                if why:
                    logger.error("%s; starting the queue's cluster again", why)
                    cluster.end(patience=0)
                    if self._restarts == conf.RESTARTS:
                        self._say(f"Gave up after {self._restarts} restarts: {why}.")
                        return GAVE_UP
                    self._restarts += 1
                    cluster = ClusterProcess()
            self._say("Stopping: accounts in hand are finished or handed back.")
            return 0
        finally:
            until = time.monotonic() + conf.DRAIN
            if not cluster.end(conf.DRAIN):
                logger.warning("the cluster did not end within %s s and was killed", conf.DRAIN)
            self._messengers.end(max(0.0, until - time.monotonic()))

    def _reason_to_restart(self, cluster: ClusterProcess) -> str:
        """Returns the reason to start the cluster anew; "" when all is well."""
        if not cluster.is_alive:
            return "the cluster died"
        if time.monotonic() < self._beat_due:
            return ""
        self._beat_due = time.monotonic() + conf.heartbeat()
        return self._try(lambda: self._beat(cluster), "")

    def _beat(self, cluster: ClusterProcess) -> str:
        """Shows that we are alive and does what is due; returns a reason to restart the cluster when it is wedged.

        Wedged: runs wait and no lane of ours takes them. Before that is believed, a lost message is sent again.
        """
        processes.beat(self._name)
        clocks.pull_in()
        claims.release_expired()
        is_well = processes.living().filter(worker=cluster.worker).exists() or not lanes.has_claimable()
        idle = time.monotonic() - self._idle_since
        if is_well or idle > conf.WEDGED_AFTER:
            self._idle_since, self._has_called_lanes = time.monotonic(), False
            return "" if is_well else f"work waits and no lane took it for {idle:.0f} s"
        if idle > conf.WEDGED_AFTER / 4 and not self._has_called_lanes:
            self._has_called_lanes = True
            dispatch.call_lanes()
        return ""
