"""The ids that the log lines of a thread carry: of the run, the group and the account that it is at work on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

NAMES = ("run", "group", "account")
_ids: ContextVar[Mapping[str, int]] = ContextVar("log_ids", default={})  # noqa: B039  (never changed in place)


@contextmanager
def log_ids(**ids: int) -> Iterator[None]:
    """Adds `ids` (of `NAMES`) to what is known while the block runs, in this thread only.

    A new thread begins without ids; `contextvars.copy_context().run` takes them along.
    """
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def current_ids() -> Mapping[str, int]:
    """Returns the ids that are known here."""
    return _ids.get()
