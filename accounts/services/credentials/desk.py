"""Where threads that speak with Kommo have something looked up or stored: one thread, one connection per process."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from accounts.batcher import Batcher
from accounts.fields import WrongEncryptionKey

T = TypeVar("T")
Deed = Callable[[], Any]


def do(deed: Callable[[], T]) -> T:
    """The result of `deed`, done and committed in the desk's thread; raises what it raised."""
    return cast(T, _desk.call(deed))


def close() -> None:
    """Ends the thread and its connection; the next deed opens another."""
    _desk.close()


def _serve(deeds: Sequence[Deed]) -> list[Any]:
    """One transaction for all; done again when the database went away: every deed is conditional, so it may be."""
    try:
        return _commit(deeds)
    except (OperationalError, InterfaceError):
        connection.close()
        return _commit(deeds)


def _commit(deeds: Sequence[Deed]) -> list[Any]:
    with transaction.atomic():
        return [_one(deed) for deed in deeds]


def _one(deed: Deed) -> Any:
    """A savepoint each: one that fails must not take the others along."""
    try:
        with transaction.atomic():
            return deed()
    except (OperationalError, InterfaceError):
        raise
    except (DatabaseError, WrongEncryptionKey) as error:
        return error


_desk: Batcher[Deed, Any] = Batcher(_serve, name="desk")
