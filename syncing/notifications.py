"""Messages about a run that has ended."""

import logging

from syncing.models import RunState, SyncRun

logger = logging.getLogger(__name__)

WELL = (RunState.SUCCEEDED, RunState.PLANNED)


def run_ended(run: SyncRun) -> None:
    """Tells of the end of a run; called once for every run, by whoever closed it."""
    level = logging.INFO if run.state in WELL else logging.WARNING
    logger.log(level, "run %s of %s: %s", run.pk, run.group.name, summary(run))


def summary(run: SyncRun) -> str:
    """Returns one sentence: the state, and how many accounts ended how."""
    ended = ", ".join(f"{run.totals[state]} {state}" for state in _states(run) if run.totals.get(state))
    why = f" ({run.reason})" if run.reason else ""
    return f"{run.state}{why}: {ended or 'no account'}"


def _states(run: SyncRun) -> list[str]:
    sums = {"created", "updated", "deleted", "adopted", "requests"}
    return [key for key in run.totals if key not in sums]
