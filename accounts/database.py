"""Finds the real cause of a database error, and what to do about it."""

import errno
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, OperationalError

from accounts.kommo.errors import gettext_noop


@dataclass(frozen=True)
class Trouble:
    """`code` for machines; not `passes`: it stays until whoever set the database up puts it right."""

    code: str
    message: str
    remedy: str
    passes: bool = True


LOCKED = Trouble(
    "database_locked",
    gettext_noop("The database is locked by another process."),
    gettext_noop("Try again in a moment; if it stays, end the process that holds it (a backup, a shell)."),
)
FULL = Trouble(
    "disk_full",
    gettext_noop("The disk of the database is full."),
    gettext_noop("Free some space on it; nothing that was stored is lost."),
)
READ_ONLY = Trouble(
    "database_read_only",
    gettext_noop("The database can only be read."),
    gettext_noop(
        "Give this process write access to the database file and its folder, or name the server that takes writes."
    ),
    passes=False,
)
DISK = Trouble(
    "disk_error",
    gettext_noop("The disk of the database fails to read or write."),
    gettext_noop("Check the disk: its space with df, its errors in the system's log."),
)
AWAY = Trouble(
    "database_away",
    gettext_noop("The database cannot be reached."),
    gettext_noop("Start it, or correct DATABASE_URL."),
    passes=False,
)
DAMAGED = Trouble(
    "database_damaged",
    gettext_noop("The database file is damaged."),
    gettext_noop("Stop everything and restore the last backup."),
    passes=False,
)
NOT_READY = Trouble(
    "not_migrated",
    gettext_noop("Tables are missing in the database."),
    gettext_noop("Run `python manage.py setup`, or `python manage.py migrate`."),
    passes=False,
)

OF_SQLITE = {
    "is locked": LOCKED,
    "disk is full": FULL,
    "readonly database": READ_ONLY,
    "unable to open database file": AWAY,
    "disk I/O error": DISK,
    "malformed": DAMAGED,
    "is not a database": DAMAGED,
    "no such table": NOT_READY,
}
OF_SQLSTATE = {
    "42P01": NOT_READY,
    "25006": READ_ONLY,
    "53100": FULL,
    "55P03": LOCKED,
    "40P01": LOCKED,
}


def trouble_of(error: BaseException | None) -> Trouble | None:
    """Returns the trouble behind a database error, or one of a file beside it; None for other errors."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FULL
    if not isinstance(error, DatabaseError | InterfaceError):
        return None
    text, sqlstate = str(error), getattr(error.__cause__, "sqlstate", None)
    if sqlstate in OF_SQLSTATE:
        return OF_SQLSTATE[sqlstate]
    for phrase, trouble in OF_SQLITE.items():
        if phrase in text and "malformed JSON" not in text:
            return trouble
    if type(error.__cause__).__module__.startswith("sqlite3"):
        return None  # it serves, and does not understand what it is asked
    return AWAY if isinstance(error, OperationalError | InterfaceError) else None


def cause_of(error: BaseException) -> str:
    """Returns cause and remedy in words; the error's own text when the database is in no trouble."""
    trouble = trouble_of(error)
    return f"{trouble.message} {trouble.remedy}" if trouble else f"{error}."
