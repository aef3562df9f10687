"""What is kept of the matching: id mappings to remember and to forget, adoptions, and how items are called."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from syncing.adapters.outcomes import ADOPT, DONE, Outcome
from syncing.engine.changes import Action
from syncing.engine.plan import Plan
from syncing.engine.refs import CHILD_KIND, Kind, Ref
from syncing.replication.contract import NO_NOTES, Mapped, Notes
from syncing.replication.ledger import Ledger

ADOPTED = "It was already there and is now kept in step."


@dataclass
class Updates:
    """What is to be stored at once."""

    outcomes: list[Outcome] = field(default_factory=list)
    mapped: list[Mapped] = field(default_factory=list)
    dropped: list[Ref] = field(default_factory=list)
    notes: Notes = NO_NOTES

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.mapped or self.dropped or self.notes)


class IdMap:
    """The id mappings of one account (`known`: ref -> the account's key), kept up to date while it is worked.

    `plan` is the first one, which calls the items by their names; it must be set before anything is kept.
    """

    plan: Plan

    def __init__(self, known: Mapping[Ref, str], ledger: Ledger) -> None:
        self.known = dict(known)
        self.ledger = ledger
        self.created: set[Ref] = set()
        self.made: set[Ref] = set()  # what came into being in this run, as answers said: not there only if gone again

    def of_matches(self, plan: Plan) -> Updates:
        """Remember what the matching found; forget mappings that point nowhere, or to what is now another item's."""
        found = {ref: key for ref, key in plan.match.keys.items() if self.known.get(ref) != key}
        taken = {(ref.kind, key) for ref, key in found.items()}
        gone = [
            ref
            for ref, key in self.known.items()
            if ref not in found and ((ref.kind, key) in taken or (ref in plan.match.stale and ref not in self.made))
        ]
        outcomes = [self._adoption(plan, ref) for ref in self.adoptions(plan)]
        mapped = [self._mapped(ref, key, self._is_ours(ref)) for ref, key in found.items()]
        self._forget(gone)
        self.known.update(found)
        return Updates(outcomes, mapped, gone)

    def of_writes(self, outcomes: Iterable[Outcome], plan: Plan) -> Updates:
        """What came into being with these writes, and what went."""
        news = Updates()
        for outcome in outcomes:
            ref = outcome.ref
            if outcome.state != DONE or ref is None:
                continue
            ours = outcome.action == Action.CREATE
            if ours:
                self.created.add(ref)
            news.mapped += [
                self._mapped(own, key, own.kind is Kind.ENUM or (ours and not is_system(self.plan, own)))
                for own, key in outcome.keys.items()  # an option comes into being with an update, too
            ]
            if outcome.action == Action.DELETE:
                news.dropped += self._inside(ref.kind, plan.slave_only[ref])
        self._forget(news.dropped)
        self.keep(news.mapped)
        return news

    def of_arrivals(self, arrived: Mapping[Ref, str]) -> Updates:
        """Remembers what came with the writes, though no answer told its key."""
        news = Updates(mapped=[self._mapped(ref, key, ours=True) for ref, key in arrived.items()])
        self.created |= arrived.keys()
        self.keep(news.mapped)
        return news

    def keep(self, mapped: Iterable[Mapped]) -> None:
        for entry in mapped:
            self.known[entry.ref] = entry.slave_key
            self.made.add(entry.ref)

    def _inside(self, kind: Kind, key: str) -> list[Ref]:
        """The mappings to an item of the account and to what is inside it."""
        inner = CHILD_KIND.get(kind)
        return [
            ref
            for ref, known in self.known.items()
            if (ref.kind is kind and known == key) or (ref.kind is inner and known.startswith(f"{key}/"))
        ]

    def _forget(self, refs: Iterable[Ref]) -> None:
        for ref in refs:
            self.known.pop(ref, None)

    # -- adoptions --

    def adoptions(self, plan: Plan) -> list[Ref]:
        """The items that were there already and are met for the first time."""
        new = (ref for ref, key in plan.match.keys.items() if self.known.get(ref) != key)
        return [ref for ref in new if not self._is_ours(ref) and ref.kind is not Kind.ENUM and not is_system(plan, ref)]

    def _is_ours(self, ref: Ref) -> bool:
        """An option that appeared with a field we have just written was made by us."""
        if ref.kind is Kind.ENUM:
            owner = Ref(Kind.CUSTOM_FIELD, ref.key.rpartition("/")[0])
            return self.ledger.attempts[owner] > 0
        return ref in self.created

    def _adoption(self, plan: Plan, ref: Ref) -> Outcome:
        name, parent = name_and_parent(plan, ref)
        return Outcome(ADOPT, str(ref.kind), name, parent, DONE, ADOPTED, key=plan.match.keys[ref], ref=ref)

    def _mapped(self, ref: Ref, key: str, ours: bool) -> Mapped:
        name, parent = name_and_parent(self.plan, ref)
        return Mapped(ref, key, name, parent, ours)

    def key_of(self, ref: Ref, plan: Plan) -> str:
        """The account's own key of what a change is about; "" while it has none."""
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
