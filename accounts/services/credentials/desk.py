"""Where threads that speak with Kommo have something looked up or stored: one thread, one connection per process."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from django.db import InterfaceError, OperationalError, connection, transaction

from accounts.batcher import Batcher

T = TypeVar("T")
Deed = Callable[[], Any]


def do(deed: Callable[[], T]) -> T:
    """The result of `deed`, done and committed in the desk's thread; raises what it raised."""
    return cast(T, _desk.call(deed))


def close() -> None:
    """Ends the thread and its connection; the next deed opens another."""
    _desk.close()


def _serve(deeds: Sequence[Deed]) -> list[Any]:
    """One transaction for all. When the database went away or could not order the locks of so many rows, once more,
    one by one: every deed is conditional, so it may be done again."""
    try:
        with transaction.atomic():
            return [_done(deed) for deed in deeds]
    except GONE:
        connection.close()
        return [_alone(deed) for deed in deeds]


def _done(deed: Deed) -> Any:
    """The result, or the error of this deed alone: it must not take the others along."""
    with _Outcome(through=GONE) as outcome, transaction.atomic():
        outcome.value = deed()
    return outcome.value


def _alone(deed: Deed) -> Any:
    with _Outcome() as outcome, transaction.atomic():
        outcome.value = deed()
    return outcome.value


class _Outcome:
    """What a block gave: its value, or the error it ended with, unless that is one of `through`."""

    def __init__(self, through: tuple[type[Exception], ...] = ()) -> None:
        self.value: Any = None
        self._through = through

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, self._through):
            return False
        self.value = error
        return True


GONE = (OperationalError, InterfaceError)
_desk: Batcher[Deed, Any] = Batcher(_serve, name="desk")
