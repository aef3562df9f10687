#!/usr/bin/env python
"""Django's command line; a wrong setting ends in one sentence instead of a traceback."""

import errno
import json
import os
import sys
from typing import TextIO

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError

from accounts.database import trouble_of

NOT_DONE = 1
USAGE_OR_CONFIGURATION = 2
INTERRUPTED = 130
REMEDY = "Put right the variable in the environment or in .env, then run again."


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kommosync.settings")
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()  # None: closed before the start
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show (LANG=C) must not end a command
        stream.reconfigure(errors="backslashreplace")
    try:
        settings.INSTALLED_APPS  # noqa: B018  (loads the settings)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Configuration error: {error}\n")
        if "sync_all" in sys.argv[1:2] and "--json" in sys.argv:
            sys.stdout.write(json.dumps(failed_document(str(error))) + "\n")
        sys.exit(USAGE_OR_CONFIGURATION)
    try:
        try:
            execute_from_command_line(sys.argv)
        finally:
            sys.stdout.flush()  # here, and not at the end of the interpreter, where nobody catches what goes wrong
    except KeyboardInterrupt:  # Ctrl-C before or after a command takes care of it itself
        sys.exit(INTERRUPTED)
    except DatabaseError as error:
        trouble = trouble_of(error)
        if trouble is None:
            raise
        sys.stderr.write(f"{trouble.message} {trouble.remedy}\n")
        sys.exit(NOT_DONE if trouble.passes else USAGE_OR_CONFIGURATION)
    except BrokenPipeError:  # the reader of a pipe (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"The output cannot be written: {error.strerror}.\n")
        sys.exit(NOT_DONE)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def failed_document(message: str) -> dict[str, object]:
    """What `sync_all --json` owes its reader; as syncing.selectors.documents, which needs the settings to be loaded."""
    return {
        "run": None,
        "type": None,
        "mode": None,
        "trigger": "command",
        **dict.fromkeys(("name", "why", "requested_by", "first_attempt", "sent_back")),
        "state": "failed",
        "reason": None,
        "error": {"code": "configuration", "message": message, "remedy": REMEDY},
        "duration_s": 0.0,
        "master": None,
        "totals": {},
        "accounts": [],
        "plans": [],
        "waves": None,
    }


if __name__ == "__main__":
    main()
