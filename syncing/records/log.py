"""The log of a run."""

from syncing.models import LogEntry
from syncing.records.text import clean


def log(
    run_id: int, message: str, *, code: str = "", level: str = LogEntry.Level.INFO, account_run_id: int | None = None
) -> None:
    """Adds one entry to the log of a run, or of one account run."""
    LogEntry.objects.create(
        run_id=run_id, account_run_id=account_run_id, level=level, code=code[:30], message=clean(message)
    )
