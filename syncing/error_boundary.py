"""The boundary around one run, one account, one command: its error ends it, and nothing else.

The only place of the project that catches whatever comes; everything else catches by name.
"""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext_noop

from accounts.log_context import log_ids

logger = logging.getLogger(__name__)

INTERNAL_REMEDY = gettext_noop("This is an error in KommoSync: look for the traceback in the log and report it.")
DATABASE_AWAY = (OperationalError, InterfaceError)  # nobody's fault, and nothing could be stored


@contextmanager
def bounded(
    on_error: Callable[[Exception], object], *, but: tuple[type[Exception], ...] = DATABASE_AWAY, **ids: int
) -> Iterator[None]:
    """Gives any error of the block to `on_error` and goes on behind it; errors of the kinds in `but` are raised.

    `ids` (run, group, account): what the block is about, for the log lines in it and of its error.
    """
    with log_ids(**ids):
        try:
            yield
        except but:
            raise
        except Exception as error:  # noqa: BLE001  (one run's odd row or odd answer must not end the thread of all)
            on_error(error)


@contextmanager
def survived(what: str, *, but: tuple[type[Exception], ...] = DATABASE_AWAY, **ids: int) -> Iterator[None]:
    """Logs any error of the block, as one of `what`, and goes on behind it; `but` and `ids` as of `bounded`."""
    with bounded(lambda error: logger.error("%s: error of our own", what, exc_info=error), but=but, **ids):
        yield


def where(error: BaseException) -> str:
    """Returns the kind of an error and its place in our code, never its text: that may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/lib/python" not in frame.filename] or frames
    place = f" in {ours[-1].filename.rpartition('/')[2]}, line {ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{place}"
