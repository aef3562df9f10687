"""Messages about a run that has ended."""

import logging

from syncing.models import RunState, SyncRun

logger = logging.getLogger(__name__)

WELL = (RunState.SUCCEEDED, RunState.PLANNED)
SUMS = ("created", "updated", "deleted", "adopted", "requests")  # in the totals of a run, beside the states


def run_ended(run: SyncRun) -> None:
    """Logs the end of a run; called once for every run, by whoever closed it."""
    level = logging.INFO if run.state in WELL else logging.WARNING
    logger.log(level, "run %s of %s: %s", run.pk, run.group.name, summary(run))


def summary(run: SyncRun) -> str:
    """Returns one sentence: the state, and how many accounts ended how."""
    ended = ", ".join(f"{count} {name}" for name, count in run.totals.items() if count and name not in SUMS)
    why = f" ({run.reason})" if run.reason else ""
    return f"{run.state}{why}: {ended or 'no account'}"
