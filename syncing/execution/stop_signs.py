"""Stop signs: how a lane learns that it shall end soon."""

import os
import select
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Protocol, Self


class StopSign(Protocol):
    """Tells a lane to end soon: a threading.Event, or anything like it."""

    def is_set(self) -> bool: ...


DRAIN_VARIABLE = "KOMMOSYNC_DRAIN_FD"


class PipeSign:
    """Is set as soon as nobody holds the pipe's other end any more; no lock that a killed process could keep."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def is_set(self) -> bool:
        readable, _, _ = select.select([self._fd], [], [], 0)
        return bool(readable)


def supervisor_sign() -> StopSign:
    """Returns the sign of this process's supervisor; one that is never set without a supervisor.

    A supervisor closes its end of a pipe to make its lanes end; its death closes the pipe as well.
    """
    fd = os.environ.get(DRAIN_VARIABLE)
    return PipeSign(int(fd)) if fd else threading.Event()


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopOnSignal:
    """A sign that Ctrl-C or SIGTERM sets while the block runs.

    `once`: a second signal ends the process at once, as it would without us.
    """

    def __init__(self, *, once: bool = True) -> None:
        self._once = once
        self._event = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        return self._event.wait(seconds)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {wish: signal.signal(wish, self._heard) for wish in STOP_SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._event.set()
        if self._once:
            self._restore()

    def _restore(self) -> None:
        for wish, handler in self._before.items():
            signal.signal(wish, handler)
        self._before = {}
