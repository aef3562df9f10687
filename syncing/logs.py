"""What a log line must not hold."""

import logging
import re

# Django logs the path of every answer from 400 on, and these are secrets (GET instead of POST is enough).
SECRET_PATH = re.compile(r"(/api/sync/webhook/|/invite/)[^\s'\"]+")


class HideSecretPaths(logging.Filter):
    """Puts `***` in the place of a token in a path, in the message and in the traceback; drops no line."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if SECRET_PATH.search(message):
            record.msg, record.args = _hidden(message), None
        if record.exc_info and not record.exc_text:  # what a formatter would put there
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = _hidden(record.exc_text)
        return True


def _hidden(text: str) -> str:
    return SECRET_PATH.sub(r"\1***", text)
