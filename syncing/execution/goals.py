"""The goal of an account run: what its account is to become, by which rules; and the snapshots that goals need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from syncing.adapters.gate import Gate
from syncing.engine.assumed import DeltaBase
from syncing.engine.delta import PartRead, touched_part
from syncing.engine.pending import ListKey, Pending
from syncing.engine.promotion import Proposal, proposal_from
from syncing.engine.refs import Ref, Scope
from syncing.engine.rules import Rules
from syncing.engine.snapshot import Snapshot, from_document
from syncing.engine.stored_names import ItemKey, ShownName, as_sent
from syncing.leases.claims import Claim
from syncing.models import MasterSnapshot, PromotionProposal, SyncRun
from syncing.records.mappings import Remember
from syncing.replication.contract import Target

CACHED_SNAPSHOTS = 16
T = TypeVar("T")


@dataclass(frozen=True)
class StoredAccount:
    """The stored facts of an account beside its id mappings, whatever the run is for; see Target."""

    stored_names: Mapping[ItemKey, ShownName]
    pending: Mapping[ListKey, Pending]
    fresh: frozenset[Ref]
    is_begun: bool  # an earlier attempt of this account run has written


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
    delta: DeltaBase | None = None
    rules_digest: str = ""

    def target(self, claim: Claim, subdomain: str, stored: StoredAccount, *, forced: bool) -> Target:
        """Returns all that the thread of the account needs.

        Who forces a run has what is missing created, whatever was sent before. An account that was begun had the
        approved plan then; what is left of it has another digest. Nothing is assumed of an account that an earlier
        attempt has had, nor where names or creations of it are in doubt.
        """
        pending = {} if forced else stored.pending
        is_odd = claim.fence > 1 or bool(stored.pending or stored.stored_names)
        rules = replace(self.rules, deletes_after_review=False) if claim.approved_digest else self.rules
        return Target(
            subdomain,
            self.scope,
            claim.writes,
            as_sent(self.desired, stored.stored_names) if self.own_words else self.desired,
            self.known,
            rules=rules,
            approved_digest="" if stored.is_begun else claim.approved_digest,
            base=self.base,
            gate=self.gate,
            stored_names=stored.stored_names,
            fresh=frozenset() if self.own_words else stored.fresh,
            pending=None if self.own_words else pending,
            delta=None if self.delta and self.delta.may_widen and is_odd else self.delta,
            rules_digest=self.rules_digest,
        )


class SnapshotCache:
    """The masters of the runs at work and what the slaves were last equal to: once per lane, for all its threads."""

    def __init__(self) -> None:
        self._values: dict[object, object] = {}

    def master(self, run: SyncRun) -> tuple[Snapshot, Scope]:
        """Returns the master as the run read it, and what of it was read."""
        return self._once(run.snapshot_id, lambda: _loaded(MasterSnapshot.objects.get(runs=run)))

    def proposal(self, run: SyncRun) -> tuple[Proposal, Scope]:
        """Returns what the master is to become by a promotion, and what of the master was read."""

        def load() -> tuple[Proposal, Scope]:
            row = PromotionProposal.objects.get(run=run)
            return proposal_from(row.document), Scope(row.type)

        return self._once(("proposal", run.pk), load)

    def base(self, pipelines: int | None, fields: int | None) -> Snapshot | None:
        """Returns the master that the pipelines were last equal to, put together with that of the fields."""
        if pipelines is None and fields is None:
            return None

        def read(snapshot_id: int) -> Snapshot:
            return self._once(snapshot_id, lambda: _loaded(MasterSnapshot.objects.get(pk=snapshot_id)))[0]

        def load() -> Snapshot:
            of_fields = read(fields) if fields else None
            return Snapshot(
                read(pipelines).pipelines if pipelines else (),
                of_fields.groups if of_fields else None,
                of_fields.fields if of_fields else None,
            )

        return self._once(("base", pipelines, fields), load)

    def touched(self, run: SyncRun, pipelines: int | None, fields: int | None) -> PartRead:
        """Returns what the master that `run` has read changes of that base (as in `base`)."""

        def load() -> PartRead:
            desired, scope = self.master(run)
            return touched_part(self.base(pipelines, fields) or Snapshot(()), desired, scope)

        return self._once(("touched", run.snapshot_id, pipelines, fields), load)

    def _once(self, key: object, load: Callable[[], T]) -> T:
        if key not in self._values:
            value = load()
            while len(self._values) >= CACHED_SNAPSHOTS:
                del self._values[next(iter(self._values))]
            self._values[key] = value
        return self._values[key]  # type: ignore[return-value]


def _loaded(row: MasterSnapshot) -> tuple[Snapshot, Scope]:
    return from_document(row.document), Scope(row.type)
