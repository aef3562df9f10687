"""The steps of a run by its purpose: reading masters, judging what was read, and what accounts are to become.

What policy, services and stores have to know of a purpose stands in `syncing/purposes.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from accounts.models import Account
from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot
from syncing.execution import promotion, rollback, sync
from syncing.execution.goals import Goal, SnapshotCache
from syncing.execution.master_reading import ReadRequest
from syncing.leases.claims import Claim, MasterClaim
from syncing.models import RunPurpose, SyncRun


@dataclass(frozen=True)
class ReadingSteps:
    """Two steps: reading before accounts are worked (None: the run has ended), and telling if the run may go on."""

    request: Callable[[SyncRun, Account, Scope], ReadRequest | None]
    accept: Callable[[SyncRun, MasterClaim, Scope, Sequence[Snapshot]], bool]


@dataclass(frozen=True)
class Steps:
    """`goals`: by account; `reading` None: no master is read, that of the reverted run stands in for it."""

    goals: Callable[[SyncRun, Sequence[Claim], SnapshotCache], dict[int, Goal]]
    reading: ReadingSteps | None


SYNC = Steps(sync.goals, ReadingSteps(sync.request, sync.accept))
STEPS: Mapping[str, Steps] = {
    RunPurpose.SYNC: SYNC,
    RunPurpose.DRIFT: SYNC,
    RunPurpose.ROLLBACK: Steps(rollback.goals, None),
    RunPurpose.PROMOTION: Steps(promotion.goals, ReadingSteps(promotion.request, promotion.accept)),
}
