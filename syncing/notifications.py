"""What is said when a run ends."""

import logging

from syncing.models import LogEntry, RunState, SyncRun
from syncing.records.log import log

logger = logging.getLogger(__name__)

WELL = (RunState.SUCCEEDED, RunState.PLANNED)


def run_ended(run: SyncRun) -> None:
    """Called once for every run, by whoever closed it."""
    sentence = summary(run)
    well = run.state in WELL
    log(run.pk, sentence, code="run_ended", level=LogEntry.Level.INFO if well else LogEntry.Level.WARNING)
    logger.log(logging.INFO if well else logging.WARNING, "run %s of %s: %s", run.pk, run.group.name, sentence)


def summary(run: SyncRun) -> str:
    """One sentence: the state, and how many accounts ended how."""
    ended = ", ".join(f"{run.totals[state]} {state}" for state in _states(run) if run.totals.get(state))
    why = f" ({run.reason})" if run.reason else ""
    return f"{run.state}{why}: {ended or 'no account'}"


def _states(run: SyncRun) -> list[str]:
    sums = {"created", "updated", "deleted", "adopted", "requests"}
    return [key for key in run.totals if key not in sums]
