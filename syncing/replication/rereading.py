"""Reading an account again after writes: until what was answered shows, and what is learnt of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncing.adapters.outcomes import DONE, UNVERIFIED
from syncing.engine.changes import Change
from syncing.engine.plan import Plan
from syncing.engine.refs import Ref
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import ItemKey, NameObservation, ShownName, observe_names
from syncing.engine.verification import keys_of_arrivals, not_visible
from syncing.replication.account_reading import AccountReading
from syncing.replication.ledger import Ledger

PAUSES = (1.0, 3.0)  # seconds: a reading may lag behind a write for three


@dataclass
class Rereading:
    """`first`: the account as it showed itself before the first write. `patient`: waiting has not been in vain yet."""

    reading: AccountReading
    ledger: Ledger
    known: Mapping[Ref, str]
    first: Snapshot
    patient: bool = True

    def after(self, plan: Plan, before: Snapshot) -> Snapshot:
        """Reads again what was written of `plan`; waits for a reading that shows nothing of an answered change."""
        written = self._written(plan, DONE)
        snapshot = self.reading.reread(before, plan.changes)
        for pause in PAUSES if self.patient else ():
            if not not_visible(plan, written, self.known, before, snapshot):
                break
            self.reading.reader.client.pause(pause)
            snapshot = self.reading.reread(before, plan.changes)
        else:
            self.patient = self.patient and not not_visible(plan, written, self.known, before, snapshot)
        return self.reading.checked(snapshot)

    def arrivals(self, plan: Plan, before: Snapshot, after: Snapshot) -> dict[Ref, str]:
        """Returns the keys of what came with the writes, though no answer named them."""
        return keys_of_arrivals(plan, self._written(plan, DONE, UNVERIFIED), self.known, before, after)

    def lesson(
        self, plan: Plan, before: Snapshot, after: Snapshot, stored: Mapping[ItemKey, ShownName]
    ) -> NameObservation:
        """Returns what the readings before and after the writes teach of stored names."""
        return observe_names(plan, self._written(plan, DONE, UNVERIFIED), self.known, self.first, before, after, stored)

    def _written(self, plan: Plan, *states: str) -> Sequence[Change]:
        outcomes = self.ledger.outcomes
        return [change for change in plan.changes if change.ref in outcomes and outcomes[change.ref].state in states]
