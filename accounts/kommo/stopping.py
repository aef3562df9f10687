"""Stops clients: the one switch, the reason why nothing more is sent, and the error that tells it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Unpack
from weakref import WeakSet

from accounts.kommo.errors import Facts, IpBlocked, KommoError, gettext_noop

CHECK_EVERY = 0.05  # seconds between two checks of a thread that waits until another one is no longer alone


class StopReason(StrEnum):
    """The reason to send nothing more; the first two are public reason codes, the others never leave the process."""

    CANCELLED = "cancelled"
    IP_BLOCKED = IpBlocked.code
    HANDED_BACK = "handed_back"  # whoever is at it ends; another one goes on
    LOST_CLAIM = "lost_claim"  # another one is at it by now


DELIBERATE_STOPS = frozenset(StopReason) - {StopReason.IP_BLOCKED}  # we stopped it ourselves: nothing has failed


class Stopped(KommoError):
    """Stopped before the request was sent; `code` is the reason, a StopReason."""

    code = StopReason.CANCELLED
    remedy = gettext_noop("Run again when you are ready.")

    def __init__(self, reason: str = StopReason.CANCELLED, **facts: Unpack[Facts]) -> None:
        facts.setdefault("code", reason)
        if reason == StopReason.IP_BLOCKED:
            facts.setdefault("remedy", IpBlocked.remedy)
        super().__init__(gettext_noop("stopped: %(reason)s") % {"reason": reason}, **facts)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.reason,), self.__dict__


class Stop:
    """A reason to send nothing more. A child stops with its parent: one per run below one per process.

    `watch` is asked at every check and gives the reason as soon as there is one ("" until then): a machine that
    slept must not wait for a thread to notice it.
    """

    def __init__(self, parent: "Stop | None" = None, watch: Callable[[], str] | None = None) -> None:
        self._event = threading.Event()
        self._children: WeakSet[Stop] = WeakSet()
        self._lock = threading.Lock()
        self._parent = parent
        self._watch = watch
        self.root: Stop = self if parent is None else parent.root
        self._alone = threading.Lock()  # of the root: who has it sends alone
        self._sender: int | None = None
        self.reason = ""
        if parent is not None:
            with parent._lock:
                parent._children.add(self)
                reason = parent.reason
            if reason:
                self.set(reason)

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
        """Raises Stopped once stopped; waits as long as another thread sends alone."""
        while self.root._sender not in (None, threading.get_ident()) and not self._event.wait(CHECK_EVERY):
            pass
        self.check_now()

    def check_now(self) -> None:
        """Raises Stopped once stopped, or when what is watched says so."""
        self._ask_watch()
        if self._event.is_set():
            raise Stopped(self.reason)

    def _ask_watch(self) -> None:
        if self._watch is not None and (reason := self._watch()):
            self.set(reason)
        if self._parent is not None:
            self._parent._ask_watch()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Lets no other thread below the same root begin a request; raises Stopped when stopped before its turn."""
        root = self.root
        while not root._alone.acquire(timeout=CHECK_EVERY):
            self.check()
        try:
            self.check()
            root._sender = threading.get_ident()
            yield
        finally:
            root._sender = None
            root._alone.release()

    def sleep(self, seconds: float) -> None:
        """Waits so long; raises Stopped at once when stopped meanwhile."""
        self._event.wait(max(0.0, seconds))
        self.check()
