"""The log of a run."""

from collections.abc import Mapping
from typing import Any

from syncing.models import LogEntry
from syncing.records.text import clean


def log(
    run_id: int,
    sentence: str,
    *,
    facts: Mapping[str, Any] | None = None,
    code: str = "",
    level: str = LogEntry.Level.INFO,
    account_run_id: int | None = None,
) -> None:
    """Adds one entry to the log of a run, or of one account run.

    `sentence`: in English, with places for `facts` (JSON values); pages say it in the language of their reader
    (`presentation.log_lines`), files as it is stored.
    """
    message = sentence if facts is None else sentence % facts
    details = {} if facts is None else clean({"sentence": sentence, "facts": dict(facts)})
    row = {"level": level, "code": code[:30], "message": clean(message), "details": details}
    LogEntry.objects.create(run_id=run_id, account_run_id=account_run_id, **row)
