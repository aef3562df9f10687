"""Checks for drift: runs that compare and write nothing."""

from collections.abc import Sequence

from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from syncing.models import RunMode, RunPurpose, RunType
from syncing.services.runs.start import Started, start_run


def check_now(
    group: SyncGroup, *, by: Actor, accounts: Sequence[Account] | None = None, to_workers: bool = True
) -> Started:
    """Starts a run that compares `accounts` (None: every slave of the group) and writes nothing. Raises Refusal."""
    return start_run(
        group=group,
        type=RunType.FULL,
        mode=RunMode.PLAN,
        purpose=RunPurpose.DRIFT,
        by=by,
        accounts=accounts,
        to_workers=to_workers,
    )
