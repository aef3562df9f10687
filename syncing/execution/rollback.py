"""Rollbacks: no master is read, as each account becomes what it was itself."""

from collections.abc import Sequence

from syncing.execution.goals import Goal, SnapshotCache
from syncing.leases.claims import Claim
from syncing.models import SyncRun
from syncing.records.mappings import remember_rollback
from syncing.services import rollback


def goals(run: SyncRun, claims: Sequence[Claim], snapshots: SnapshotCache) -> dict[int, Goal]:
    """Returns by account what it had before; an account of which that is not stored any more is missing."""
    _, scope = snapshots.master(run)
    before = rollback.before(run, [claim.account_id for claim in claims])
    return {
        account: Goal(
            each.desired,
            each.scope(scope),
            each.known,
            each.rules,
            remember_rollback,
            own_words=True,
            delta=each.delta,
        )
        for account, each in before.items()
    }
