"""Ctrl-C and SIGTERM as a wish that the work in hand notices."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

WISHES = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """A threading.Event-like sign, set by the first signal while the block runs.

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
            self._before = {wish: signal.signal(wish, self._heard) for wish in WISHES}
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
