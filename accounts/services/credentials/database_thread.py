"""The one thread of a process that asks the database for the threads that speak with Kommo: one connection for all."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from django.db import InterfaceError, OperationalError, connection, transaction

from accounts.batcher import Batcher

T = TypeVar("T")
Call = Callable[[], Any]
GONE = (OperationalError, InterfaceError)


def run(call: Callable[[], T]) -> T:
    """Returns the result of `call`, made and committed in the database thread; raises what it raised."""
    return cast(T, _batcher.call(call))


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
    try:
        with transaction.atomic():
            return call()
    except fatal:
        raise
    except Exception as error:  # noqa: BLE001  (the batcher raises it to the one who asked)
        return error


_batcher: Batcher[Call, Any] = Batcher(_run_batch, name="database")
