"""The one thread of a process that asks the database for the threads that speak with Kommo: one connection for all."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from django.db import InterfaceError, OperationalError, connection, transaction

from accounts.batcher import Batcher

T = TypeVar("T")
Call = Callable[[], Any]
GONE = (OperationalError, InterfaceError)


def run(call: Callable[[], T]) -> T:
    """Returns the result of `call`, made and committed in the database thread; raises what it raised."""
    return cast(T, _batcher.call(partial(copy_context().run, call)))  # what it logs has the ids of who asks


def close() -> None:
    """Ends the thread and its connection; the next call opens another."""
    _batcher.close()


def _run_batch(calls: Sequence[Call]) -> list[Any]:
    """Runs all in one transaction. When the database went away or could not order the locks of so many rows, once
    more, one by one: every call is conditional, so it may be made again."""
    try:
        with transaction.atomic():
            return [_result(call, fatal=GONE) for call in calls]
    except GONE:
        connection.close()
        return [_result(call) for call in calls]


def _result(call: Call, *, fatal: tuple[type[Exception], ...] = ()) -> Any:
    """Returns what `call` gives, or its error, as it must not take the other calls along; raises those of `fatal`."""
    with _Caught(fatal) as caught, transaction.atomic():
        caught.result = call()
    return caught.result


class _Caught:
    """The result of a block, or the error that ended it, unless it is one of `fatal`."""

    def __init__(self, fatal: tuple[type[Exception], ...]) -> None:
        self.result: Any = None
        self._fatal = fatal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, self._fatal):
            return False
        self.result = error
        return True


_batcher: Batcher[Call, Any] = Batcher(_run_batch, name="database")
