"""The one switch that stops every client at once: a blocked IP, a cancelled run."""

import threading
from weakref import WeakSet

from accounts.kommo.errors import Halted


class Stop:
    """A reason to send nothing more. A child stops with its parent: one per run below one per process."""

    def __init__(self, parent: "Stop | None" = None) -> None:
        self._event = threading.Event()
        self._children: WeakSet[Stop] = WeakSet()
        self._lock = threading.Lock()
        self._parent = parent
        self.reason = ""
        if parent is not None:
            parent._adopt(self)

    def _adopt(self, child: "Stop") -> None:
        with self._lock:
            self._children.add(child)
            reason = self.reason
        if reason:
            child.set(reason)

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self, reason: str) -> None:
        """Stops this and everything below it; the first reason stays."""
        with self._lock:
            self.reason = self.reason or reason
            children = list(self._children)
        self._event.set()
        for child in children:
            child.set(reason)

    def set_all(self, reason: str) -> None:
        """Stops the whole process, from wherever it is noticed."""
        if self._parent is not None:
            self._parent.set_all(reason)
        else:
            self.set(reason)

    def clear(self) -> None:
        """Lets requests go again, here only; for a process that outlives the reason."""
        with self._lock:
            self.reason = ""
        self._event.clear()

    def check(self) -> None:
        """Raises Halted once stopped."""
        if self._event.is_set():
            raise Halted(self.reason)

    def sleep(self, seconds: float) -> None:
        """Waits so long; raises Halted at once when stopped meanwhile."""
        self._event.wait(max(0.0, seconds))
        self.check()
