"""Messages: a run has ended, the master has changed, a pause is over."""

import logging
from collections.abc import Collection

from accounts.models import Account, SyncGroup
from syncing.models import RunState, SyncRun

logger = logging.getLogger(__name__)

WELL = (RunState.SUCCEEDED, RunState.PLANNED)
SUMS = ("created", "updated", "deleted", "adopted", "requests")  # in the totals of a run, beside the states


def run_ended(run: SyncRun) -> None:
    """Logs the end of a run; called once for every run, by whoever closed it."""
    level = logging.INFO if run.state in WELL else logging.WARNING
    logger.log(level, "run %s of %s: %s", run.pk, run.group.name, summary(run))


def master_changed(group: SyncGroup, collections: Collection[str]) -> None:
    """Logs a change in the master of a group that only wants to be told; called once for every such change.

    `collections`: where the master differs from the one that was brought last; all of them when none was.
    """
    logger.warning("the master of %s has changed: %s", group.name, ", ".join(collections))


def pause_ended(thing: SyncGroup | Account) -> None:
    """Logs that a pause has ended by itself; called once for every such end."""
    what = f"the account {thing.subdomain}" if isinstance(thing, Account) else f"the group {thing.name}"
    logger.info("the pause of %s has ended (%s)", what, thing.pause_reason or "without a reason")


def summary(run: SyncRun) -> str:
    """Returns one sentence: the state, and how many accounts ended how."""
    ended = ", ".join(f"{count} {name}" for name, count in run.totals.items() if count and name not in SUMS)
    why = f" ({run.reason})" if run.reason else ""
    return f"{run.state}{why}: {ended or 'no account'}"


def healing_gave_up(group: SyncGroup, items: Collection[str]) -> None:
    """Logs that `items` (sentences) are left alone from now on; each is told once."""
    for item in items:
        logger.warning("in the group %s: %s", group.name, item)
