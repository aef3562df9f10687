"""Starts the process that sends messages when there is something to send, and ends one that takes too long."""

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from syncing import conf
from syncing.error_boundary import survived
from syncing.leases import processes
from syncing.notifications import delivery, outbox

logger = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "syncing.worker.messenger")
LONGEST_LIFE = 120.0  # seconds
PAUSE = 5.0  # seconds between two starts
PAUSE_AFTER_FAILURE = 60.0
AT_THE_END = 20.0  # seconds that a command without workers gives it


def is_needed() -> bool:
    """Tells whether there is something to make messages of, or to send."""
    return outbox.has_notices() or delivery.is_due()


class MessengerProcess:
    """One messenger: it leads a session, so that what it has started ends with it."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(  # noqa: S603  (our own module)
            COMMAND,
            cwd=conf.project_dir(),
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__ or subprocess.DEVNULL,  # what a command prints is a document
            start_new_session=True,
        )
        self._began = time.monotonic()

    @property
    def age(self) -> float:
        return time.monotonic() - self._began

    def result(self) -> int | None:
        """Returns its exit code; None while it is at work."""
        return self._child.poll()

    def end(self, patience: float) -> bool:
        """Waits so many seconds, then kills it with what it has started; returns True when it ended by itself."""
        try:
            self._child.wait(patience)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
            return False
        return True


class MessengerSupervisor:
    """Has at most one messenger at work; one that fails is not followed by the next at once."""

    def __init__(self) -> None:
        self._messenger: MessengerProcess | None = None
        self._next_start = 0.0

    def start_if_needed(self) -> None:
        """Starts a messenger when there is something to do for one, and none at work."""
        if self._messenger is None and time.monotonic() >= self._next_start and is_needed():
            self._messenger = MessengerProcess()
            self._next_start = time.monotonic() + PAUSE

    def watch(self) -> None:
        """Notices the end of the messenger, and ends one that takes too long. It asks no database and never waits."""
        if self._messenger is None:
            return
        result = self._messenger.result()
        if result is None and self._messenger.age < LONGEST_LIFE:
            return
        if result is None:
            logger.error("the process that sends messages took more than %.0f s and was ended", LONGEST_LIFE)
            self._messenger.end(patience=0)
        if result != 0:
            self._next_start = time.monotonic() + PAUSE_AFTER_FAILURE
        self._messenger = None

    def end(self, patience: float) -> None:
        if self._messenger is not None:
            self._messenger.end(patience)
            self._messenger = None


def send_without_workers() -> None:
    """Sends what is due if no worker is alive that would do it; gives it AT_THE_END seconds, and never fails."""
    with survived("the messages at the end", but=()):
        if not processes.workers_alive() and is_needed():
            MessengerProcess().end(AT_THE_END)
