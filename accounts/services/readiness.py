"""Checks that the database can store."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from accounts import clock
from accounts.models import WriteProbe

PATIENCE = 1000  # milliseconds; whoever asks whether we are ready waits no longer than a few seconds


def check_writable() -> None:
    """Stores one row for good; raises DatabaseError. Nothing less shows a lock, a full disk, or a read-only file."""
    with _short_lock_wait():
        now = clock.now()
        if not WriteProbe.objects.filter(pk=WriteProbe.ONLY).update(written_at=now):
            WriteProbe.objects.bulk_create([WriteProbe(written_at=now)], ignore_conflicts=True)


@contextmanager
def _short_lock_wait() -> Iterator[None]:
    """Lets SQLite wait for a lock no longer than PATIENCE, instead of as long as its connection says."""
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    sqlite = connection.connection
    usual = sqlite.execute("PRAGMA busy_timeout").fetchone()[0]
    sqlite.execute(f"PRAGMA busy_timeout = {PATIENCE}")
    try:
        yield
    finally:
        sqlite.execute(f"PRAGMA busy_timeout = {usual}")
