"""The id mappings of one account: what to store of them, adoptions, and the names of items."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from syncing.adapters.outcomes import ADOPT, DONE, Outcome
from syncing.engine.changes import Action
from syncing.engine.plan import Plan
from syncing.engine.refs import CHILD_KIND, Kind, Ref
from syncing.engine.sentences import gettext_noop
from syncing.replication.contract import NO_NOTES, Mapped, Notes
from syncing.replication.ledger import Ledger

ADOPTED = gettext_noop("It was already there and is now kept in step.")


@dataclass
class Updates:
    """Changes that are stored at once."""

    outcomes: list[Outcome] = field(default_factory=list)
    mapped: list[Mapped] = field(default_factory=list)
    dropped: list[Ref] = field(default_factory=list)
    notes: Notes = NO_NOTES

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.mapped or self.dropped or self.notes)


class IdMap:
    """The id mappings of one account (`known`: ref -> the account's key), in step while it is worked.

    `plan` is the first one, which calls the items by their names; it must be set before anything is added.
    """

    plan: Plan

    def __init__(self, known: Mapping[Ref, str], ledger: Ledger) -> None:
        self.known = dict(known)
        self.ledger = ledger
        self.created: set[Ref] = set()
        self.arrived: set[Ref] = set()  # came into being in this run, as answers said: not there only if gone again

    def of_matches(self, plan: Plan, kept: Collection[Ref] = ()) -> Updates:
        """Takes up new matches of a plan; forgets mappings that point nowhere, or to what is now another item's.

        Those of `kept` may point nowhere: the item is left to the account, and so is its deletion.
        """
        matched = {ref: key for ref, key in plan.match.keys.items() if self.known.get(ref) != key}
        taken = {(ref.kind, key) for ref, key in matched.items()}
        alive = self.arrived.union(kept)
        gone = [
            ref
            for ref, key in self.known.items()
            if ref not in matched and ((ref.kind, key) in taken or (ref in plan.match.stale and ref not in alive))
        ]
        outcomes = []
        for ref in self.adoptions(plan):
            name, parent = name_and_parent(plan, ref)
            key = plan.match.keys[ref]
            outcomes.append(Outcome(ADOPT, str(ref.kind), name, parent, DONE, ADOPTED, key=key, ref=ref))
        mapped = [self._mapped(ref, key, self._is_ours(ref)) for ref, key in matched.items()]
        self._forget(gone)
        self.known.update(matched)
        return Updates(outcomes, mapped, gone)

    def of_writes(self, outcomes: Iterable[Outcome], plan: Plan) -> Updates:
        """Takes up what came into being with these writes, and forgets what went."""
        updates = Updates()
        for outcome in outcomes:
            ref = outcome.ref
            if outcome.state != DONE or ref is None:
                continue
            ours = outcome.action == Action.CREATE
            if ours:
                self.created.add(ref)
            updates.mapped += [
                self._mapped(own, key, own.kind is Kind.ENUM or (ours and not is_system(self.plan, own)))
                for own, key in outcome.keys.items()  # an option comes into being with an update, too
            ]
            if outcome.action == Action.DELETE:  # it goes with what is inside it
                gone, inner = plan.slave_only[ref], CHILD_KIND.get(ref.kind)
                updates.dropped += [
                    own
                    for own, key in self.known.items()
                    if (own.kind is ref.kind and key == gone) or (own.kind is inner and key.startswith(f"{gone}/"))
                ]
        self._forget(updates.dropped)
        self.add(updates.mapped)
        return updates

    def of_arrivals(self, arrived: Mapping[Ref, str]) -> Updates:
        """Takes up what came with the writes, though no answer named its key."""
        updates = Updates(mapped=[self._mapped(ref, key, ours=True) for ref, key in arrived.items()])
        self.created |= arrived.keys()
        self.add(updates.mapped)
        return updates

    def add(self, mapped: Iterable[Mapped]) -> None:
        """Takes up mappings of what came into being."""
        for entry in mapped:
            self.known[entry.ref] = entry.slave_key
            self.arrived.add(entry.ref)

    def _forget(self, refs: Iterable[Ref]) -> None:
        for ref in refs:
            self.known.pop(ref, None)

    # -- adoptions --

    def adoptions(self, plan: Plan) -> list[Ref]:
        """Returns the items that were there already and are met for the first time."""
        new = (ref for ref, key in plan.match.keys.items() if self.known.get(ref) != key)
        return [ref for ref in new if not self._is_ours(ref) and ref.kind is not Kind.ENUM and not is_system(plan, ref)]

    def _is_ours(self, ref: Ref) -> bool:
        """Tells if we created it: so is an option that appeared with a field we have just written."""
        if ref.kind is Kind.ENUM:
            owner = Ref(Kind.CUSTOM_FIELD, ref.key.rpartition("/")[0])
            return self.ledger.attempts[owner] > 0
        return ref in self.created

    def _mapped(self, ref: Ref, key: str, ours: bool) -> Mapped:
        name, parent = name_and_parent(self.plan, ref)
        return Mapped(ref, key, name, parent, ours)

    def key_of(self, ref: Ref, plan: Plan) -> str:
        """Returns the account's own key of what a change is about; "" while it has none."""
        return self.known.get(ref) or plan.match.keys.get(ref) or plan.slave_only.get(ref, "")


def is_system(plan: Plan, ref: Ref) -> bool:
    item = plan.desired.items.get(ref)
    return item is not None and item.system


def name_and_parent(plan: Plan, ref: Ref) -> tuple[str, str]:
    item = plan.desired.items.get(ref)
    if item is not None:
        return item.name, item.parent
    owner = plan.desired.items.get(Ref(Kind.CUSTOM_FIELD, ref.key.rpartition("/")[0]))
    return plan.desired.labels.get(ref, ""), owner.name if owner else ""
