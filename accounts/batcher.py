"""Does the database work of many threads in one thread: a batch at a time, on one connection."""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from django.db import close_old_connections, connections

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Calls `process(items)` in a thread of its own, with all that waits, up to `max_items`.

    `process` gives one result per item, in order; a result that is an exception is raised to that item's asker,
    an exception of `process` itself to all askers of the batch. `window` is the seconds that a batch waits for
    company. The thread starts with the first item, anew in a forked child, and again after `close`.
    """

    def __init__(
        self,
        process: Callable[[Sequence[T]], Sequence[R | BaseException]],
        *,
        window: float = 0.0,
        max_items: int = 100,
        name: str = "batcher",
    ) -> None:
        self._process = process
        self._window = window
        self._max_items = max_items
        self._name = name
        self._start_empty()
        _batchers.add(self)

    def _start_empty(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[tuple[T, Future[R]]] = deque()
        self._thread: threading.Thread | None = None

    def submit(self, item: T) -> "Future[R]":
        """Hands `item` over; returns the future of its result."""
        future: Future[R] = Future()
        with self._changed:
            self._waiting.append((item, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return future

    def call(self, item: T) -> R:
        """Hands `item` over and returns its result."""
        return self.submit(item).result()

    def close(self) -> None:
        """Lets what waits be done, then ends the thread and its database connections."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    # -- in the thread --

    def _run(self) -> None:
        """Processes batch after batch; ends when closed and nothing waits."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed())
                if self._window:
                    self._changed.wait_for(
                        lambda: len(self._waiting) >= self._max_items or self._is_closed(), self._window
                    )
                batch = [self._waiting.popleft() for _ in range(min(self._max_items, len(self._waiting)))]
            if not batch:
                break
            with _Handover(batch) as handover:
                close_old_connections()  # heals a connection that broke or grew too old
                handover.results = self._process([item for item, _ in batch])
        connections.close_all()

    def _is_closed(self) -> bool:
        return self._thread is not threading.current_thread()


class _Handover(Generic[T, R]):
    """Gives every asker of a batch its result, or whatever the block ended with: nobody may wait for ever."""

    def __init__(self, batch: "Sequence[tuple[T, Future[R]]]") -> None:
        self.results: Sequence[R | BaseException] = ()
        self._futures = [future for _, future in batch]

    def __enter__(self) -> "_Handover[T, R]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None and len(self.results) != len(self._futures):
            error = RuntimeError(f"{len(self._futures)} items gave {len(self.results)} results")
        outcomes = [error] * len(self._futures) if error is not None else self.results
        for future, outcome in zip(self._futures, outcomes, strict=True):
            if not future.set_running_or_notify_cancel():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        return True


_batchers: "WeakSet[Batcher[Any, Any]]" = WeakSet()


def _forget_parent() -> None:
    """Starts empty in a forked child: the parent's thread is not here, its lock may be held, its items are not ours."""
    for batcher in _batchers:
        batcher._start_empty()


os.register_at_fork(after_in_child=_forget_parent)
