"""What a run is to do in its accounts: desired, rules, mappings, by what the run is for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from syncing.adapters.gate import Gate
from syncing.engine.promotion import Proposal, proposal_from
from syncing.engine.refs import Ref, Scope
from syncing.engine.rules import Rules
from syncing.engine.snapshot import Snapshot, from_document
from syncing.execution import promotion
from syncing.leases.claims import Claim
from syncing.models import MasterSnapshot, SyncRun
from syncing.policy import rules_for
from syncing.records import drift
from syncing.records.mappings import Remember, known_mappings, remember_rollback, remember_slave
from syncing.services import rollback

KEPT_SNAPSHOTS = 16
T = TypeVar("T")


@dataclass(frozen=True)
class Goal:
    """The part of a target that depends on what its run is for."""

    desired: Snapshot
    scope: Scope
    known: Mapping[Ref, str]
    rules: Rules
    remember: Remember
    base: Snapshot | None = None
    gate: Gate | None = None
    own_words: bool = False  # `desired` was read from the account itself


class Snapshots:
    """The masters of the runs at work and what the slaves were last equal to: once per lane, for all its threads."""

    def __init__(self) -> None:
        self._kept: dict[object, object] = {}

    def get(self, snapshot_id: int) -> tuple[Snapshot, Scope]:
        def load() -> tuple[Snapshot, Scope]:
            row = MasterSnapshot.objects.get(pk=snapshot_id)
            return from_document(row.document), Scope(row.type)

        return self._once(snapshot_id, load)

    def proposal(self, snapshot_id: int) -> Proposal:
        """Of a promotion: what it keeps in the place of a master."""
        return self._once(
            ("proposal", snapshot_id),
            lambda: proposal_from(MasterSnapshot.objects.values_list("document", flat=True).get(pk=snapshot_id)),
        )

    def base(self, pipelines: int | None, fields: int | None) -> Snapshot | None:
        """Put together from the master that the pipelines were last equal to, and from that of the fields."""
        if pipelines is None and fields is None:
            return None

        def load() -> Snapshot:
            of_fields = self.get(fields)[0] if fields else None
            return Snapshot(
                self.get(pipelines)[0].pipelines if pipelines else (),
                of_fields.groups if of_fields else None,
                of_fields.fields if of_fields else None,
            )

        return self._once(("base", pipelines, fields), load)

    def _once(self, key: object, load: Callable[[], T]) -> T:
        if key not in self._kept:
            value = load()
            while len(self._kept) >= KEPT_SNAPSHOTS:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = value
        return self._kept[key]  # type: ignore[return-value]


def of_sync(run: SyncRun, claims: Sequence[Claim], snapshots: Snapshots) -> dict[int, Goal]:
    """The master's configuration for its slaves, by account."""
    accounts = [claim.account_id for claim in claims]
    known, rules = known_mappings(accounts), rules_for(accounts, run)
    bases = drift.bases_of(accounts, run.group_id)
    desired, scope = snapshots.get(claims[0].snapshot_id)
    return {
        account: Goal(
            desired,
            scope,
            known[account],
            rules[account],
            remember_slave,
            base=_base(snapshots, scope, *bases.get(account, (None, None))),
        )
        for account in accounts
    }


def _base(snapshots: Snapshots, scope: Scope, pipelines: int | None, fields: int | None) -> Snapshot | None:
    """Only as far as the run looks."""
    return snapshots.base(pipelines if scope.writes_pipelines else None, fields if scope.writes_fields else None)


def of_rollback(run: SyncRun, claims: Sequence[Claim], snapshots: Snapshots) -> dict[int, Goal]:
    """What each account had before; one of which that is not kept any more is missing."""
    _, scope = snapshots.get(claims[0].snapshot_id)
    found = rollback.before(run, [claim.account_id for claim in claims])
    return {
        account: Goal(each.desired, each.scope(scope), each.known, each.rules, remember_rollback, own_words=True)
        for account, each in found.items()
    }


def of_promotion(run: SyncRun, claims: Sequence[Claim], snapshots: Snapshots) -> dict[int, Goal]:
    """What the master is to become; its gate is shut until the plan has been found to be the approved one."""
    (claim,) = claims
    _, scope = snapshots.get(claim.snapshot_id)
    proposal = snapshots.proposal(claim.snapshot_id)
    remember = partial(promotion.remember, run.source_id, proposal.origins)
    rules = Rules(only=proposal.only)
    return {
        claim.account_id: Goal(proposal.desired, scope, proposal.known, rules, remember, gate=Gate(), own_words=True)
    }
