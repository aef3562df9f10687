"""How log lines look and what they leave out: JSON, ids, secrets in paths, the same trouble again and again."""

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import urlsplit

from accounts.database import trouble_of
from accounts.log_context import NAMES, current_ids
from syncing import conf

logger = logging.getLogger(__name__)

PAUSE = 60.0  # seconds
SHORTEST = 8  # characters of a path that is a secret
# Django logs the path of every answer from 400 on, and these are secrets (GET instead of POST is enough).
SECRET_PATH = re.compile(r"(/api/sync/webhook/|/invite/)[^\s'\"]+")


class HideSecretPaths(logging.Filter):
    """Puts `***` in the place of a token in a path, in the message and in the traceback; drops no line."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (hidden := hide_paths(message)) != message:
            record.msg, record.args = hidden, None
        if record.exc_info and not record.exc_text:  # what a formatter would put there
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = hide_paths(record.exc_text)
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


class AddIds(logging.Filter):
    """Gives a line the ids of what its thread is at work on, if it has none of its own; drops no line."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, number in current_ids().items():
            if not hasattr(record, name):
                setattr(record, name, number)
        return True


class JsonFormatter(logging.Formatter):
    """Writes a line as one JSON object in ASCII, with whatever traceback it has as one text."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        facts |= {name: getattr(record, name) for name in NAMES if hasattr(record, name)}
        trace = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        if trace or record.stack_info:
            facts["exception"] = "\n".join(filter(None, (trace, record.stack_info)))
        return json.dumps(facts, default=str)


def log_last_words() -> None:
    """Has errors that end a thread or the process logged, instead of printed past the log."""
    sys.excepthook = _log_end_of_process
    threading.excepthook = _log_end_of_thread


def _log_end_of_process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logger.critical("the process ends with an error", exc_info=(kind, error, trace))


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not issubclass(ended.exc_type, SystemExit):
        facts = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        logger.error("the thread %s ends with an error", ended.thread and ended.thread.name, exc_info=facts)


def hide_paths(text: str) -> str:
    """Returns the text with `***` in the place of secrets in paths, and of the path of the monitor outside."""
    text = SECRET_PATH.sub(r"\1***", text)
    monitor = urlsplit(conf.ping_url()).path
    return text.replace(monitor, "/***") if len(monitor) >= SHORTEST else text
