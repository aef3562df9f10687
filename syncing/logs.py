"""Filters of log lines: secrets in paths, and the same trouble again and again."""

import logging
import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from accounts.database import trouble_of
from syncing import conf

PAUSE = 60.0  # seconds
SHORTEST = 8  # characters of a path that is a secret
# Django logs the path of every answer from 400 on, and these are secrets (GET instead of POST is enough).
SECRET_PATH = re.compile(r"(/api/sync/webhook/|/invite/)[^\s'\"]+")


class HideSecretPaths(logging.Filter):
    """Puts `***` in the place of a token in a path, in the message and in the traceback; drops no line."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (hidden := _hidden(message)) != message:
            record.msg, record.args = hidden, None
        if record.exc_info and not record.exc_text:  # what a formatter would put there
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = _hidden(record.exc_text)
        return True


class DatabaseTroubleOnce(logging.Filter):
    """While the database does not serve: its cause once a minute, in a sentence, in the place of every traceback."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else record.msg  # the queue logs a bare error, every second
        trouble = trouble_of(error) if isinstance(error, BaseException) else None
        if trouble is None:
            return True
        now = self._clock()
        if now - self._logged_at.get(trouble.code, now - PAUSE) < PAUSE:
            return False
        self._logged_at[trouble.code] = now
        record.msg, record.args, record.exc_info = f"{trouble.message} {trouble.remedy}", None, None
        record.exc_text = None
        return True


def _hidden(text: str) -> str:
    text = SECRET_PATH.sub(r"\1***", text)
    monitor = urlsplit(conf.ping_url()).path
    return text.replace(monitor, "/***") if len(monitor) >= SHORTEST else text
