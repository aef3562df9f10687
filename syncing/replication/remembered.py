"""The memory of an account beside its id mappings: names that it shows otherwise, creations not seen since."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from syncing.engine.changes import Conflict
from syncing.engine.pending import ListKey, Pending, creations_of, resolve_pending, still_pending
from syncing.engine.plan import Plan
from syncing.engine.refs import Ref
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import ItemKey, NameObservation, ShownName, as_sent, names_of
from syncing.replication.contract import NO_NOTES, Notes, Target


@dataclass
class Remembered:
    """Kept up to date while the account is worked; Notes that a method returns must be stored at once."""

    stored: dict[ItemKey, ShownName]
    pending: dict[ListKey, Pending]
    notes_creations: bool
    shown_names: dict[ItemKey, str] = field(
        default_factory=dict
    )  # what the last reading shows otherwise than it was sent
    uncertain: tuple[Conflict, ...] = ()  # pending, and nobody knows if they are there

    @classmethod
    def of(cls, target: Target) -> "Remembered":
        return cls(dict(target.stored_names), dict(target.pending or {}), target.pending is not None)

    def as_sent(self, raw: Snapshot) -> Snapshot:
        """Returns the account in the words that were sent; puts aside for the plan what it shows otherwise."""
        existing, self.shown_names = as_sent(raw, self.stored), {}
        if existing is not raw:
            sent = names_of(existing)
            self.shown_names = {key: name for key, name in names_of(raw).items() if sent[key] != name}
        return existing

    def learn(self, lesson: NameObservation) -> Notes:
        """Takes up the names that the account has been seen to store otherwise."""
        for key, name in lesson.stored.items():
            if name is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = name
        return Notes(lesson.stored)

    def announce(self, plan: Plan, existing: Snapshot) -> Notes:
        """Takes up creations before they are sent: whatever dies then, the next run looks before it sends again."""
        if not self.notes_creations:
            return NO_NOTES
        sent = creations_of(plan, existing, self.pending)
        self.pending |= sent
        return Notes(pending=sent)

    def resolve(
        self, desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str], refused: frozenset[Ref] = frozenset()
    ) -> Mapping[Ref, str]:
        """Returns what is pending and there after all; the rest is `uncertain`, or gone like what was `refused`."""
        pending = {place: replace(each, refs=each.refs - refused) for place, each in self.pending.items()}
        resolved = resolve_pending(desired, existing, known, pending)
        self.uncertain = resolved.uncertain
        return resolved.keys

    def settle(self, known: Mapping[Ref, str], doubtful: Iterable[Ref] = ()) -> Notes:
        """Forgets all that is pending but what is `doubtful` or uncertain."""
        left = still_pending(self.pending, known, [*doubtful, *(conflict.ref for conflict in self.uncertain)])
        changed = {place: each for place, each in left.items() if each != self.pending[place]}
        self.pending = {place: each for place, each in left.items() if each is not None}
        return Notes(pending=changed)
