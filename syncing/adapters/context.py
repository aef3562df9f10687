"""The context that the writers of all kinds share: the plan, the ids known so far, and how progress is reported."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from accounts.kommo.errors import KommoError, Validation
from syncing.adapters.api import Api
from syncing.adapters.batch_writer import Entry
from syncing.adapters.outcomes import DONE, FAILED, SKIPPED, UNVERIFIED, Outcome
from syncing.adapters.reader import Reader
from syncing.adapters.repairs import (
    located_complaints,
    option_name,
    refused_options,
)
from syncing.adapters.sorting import RefOrKey, sort_numbers
from syncing.engine.changes import Action, Change
from syncing.engine.normalise import Item
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import ItemKey, ShownName

MAX_UNEXPLAINED = 12
REFUSED = gettext_noop("Kommo refused a part of it:")
SETTLE_SECONDS = 5.0  # seconds after which a request without an answer is taken for ended


@dataclass
class WriteContext:
    """One application of one plan to one account. `ids` grows as creates succeed.

    `report` stores what happened and must return before the next request goes out. `rewrite_order`: moving single
    items did not lead to the order, so every item of the sequence is numbered anew.
    """

    api: Api
    reader: Reader
    plan: Plan
    desired: Snapshot
    existing: Snapshot
    ids: dict[Ref, str]
    report: Callable[[Sequence[Outcome]], None]
    rewrite_order: bool = False
    # what the account shows otherwise than sent
    stored_names: Mapping[ItemKey, ShownName] = field(default_factory=dict)
    age: Callable[[str], float] = lambda path: 0.0  # seconds since the list at this path was read
    unexplained: int = 0  # refusals of failed items, guesses among them, without a word about the part that is to blame

    def changes(self, kind: Kind, action: Action, inside: str = "") -> list[Change]:
        """Returns the planned changes of this kind; `inside`: what their keys begin with."""
        return [
            change
            for change in self.plan.changes
            if change.ref.kind is kind and change.action is action and change.ref.key.startswith(inside)
        ]

    def item(self, ref: Ref) -> Item:
        return self.plan.desired.items[ref]

    def known_keys(self, kind: Kind, parent: str = "") -> set[str]:
        """Returns the account's keys of this kind under `parent` that are known by now, also of what was just made."""
        return {key for ref, key in self.ids.items() if ref.kind is kind and key.startswith(parent)}

    def present_keys(self, kind: Kind, parent: str = "") -> set[str]:
        """Returns `known_keys` and the keys of what is held back, as it was there before, too."""
        return self.known_keys(kind, parent) | {held.key for held in self.existing.held if held.kind is kind}

    def refs_by_key(self, kind: Kind) -> dict[str, Ref]:
        """Returns the refs of the items that matched, by the account's keys."""
        return {key: ref for ref, key in self.plan.match.keys.items() if ref.kind is kind}

    def sorts(
        self, kind: Kind, order: str, present: Iterable[tuple[str, int]], wished: Mapping[Ref, int],
        creates: Sequence[Change], updates: Sequence[Change], highest: int, *, sparing: bool = False,
    ) -> dict[RefOrKey, int]:  # fmt: skip
        """Returns the sort numbers to write in the list that the plan calls `order`.

        `present`: the account's keys in their order, with their numbers; `wished`: the master's numbers; `sparing` as
        in `sort_numbers`.
        """
        refs = self.refs_by_key(kind)
        current: list[tuple[RefOrKey, int]] = [(refs.get(key, key), number) for key, number in present]
        moving = [change.ref for change in updates if "position" in change.fields]
        placing = [change.ref for change in creates] + moving
        here = {item for item, _ in current} | set(placing)
        target = [ref for ref in self.plan.orders.get(order, ()) if ref in here]
        rewrite = self.rewrite_order and bool(moving)
        return sort_numbers(current, target, placing, wished, highest, rewrite=rewrite, sparing=sparing)

    def with_renumbered(self, updates: Sequence[Change], sorts: Mapping[RefOrKey, int]) -> list[Change]:
        """Adds the present items that get a number only as there was no room beside them: no changes of the plan."""
        known = {change.ref for change in updates}
        refs = [item for item in sorts if isinstance(item, Ref) and item not in known and item in self.plan.match.keys]
        return [
            *updates,
            *(Change(Action.UPDATE, ref, self.item(ref).name, self.item(ref).parent, {}) for ref in refs),
        ]

    def succeeded(self, change: Change, keys: Mapping[Ref, str] | None = None) -> Outcome:
        self.ids.update(keys or {})
        return Outcome.of(change, DONE, keys=dict(keys or {}))

    def fail(
        self, change: Change, error: KommoError, refused: Sequence[str] = (), options: frozenset[Ref] = frozenset()
    ) -> None:
        """Reports a failure. `refused`: the parts that are to blame, in words; `options`: the new ones among them."""
        message = " ".join([*([REFUSED, *refused] if refused else []), str(error)])
        self.report([Outcome.of(change, FAILED, message[:500], error.code, refused=options)])

    def report_refused_parts(self, entry: Entry[Change]) -> None:
        """Reports which parts of an item were refused; what it is without them has been reported before."""
        if entry.refused:
            message = " ".join([REFUSED, *entry.refused])
            refused = self._refused_options(entry)
            self.report([Outcome.of(entry.subject, UNVERIFIED, message[:500], Validation.code, refused=refused)])

    def _refused_options(self, entry: Entry[Change]) -> frozenset[Ref]:
        options = self.item(entry.subject.ref).attributes.get("enums", {})
        new = ((ref, option_name({"value": value})) for ref, value in options.items() if ref not in self.ids)
        return frozenset(ref for ref, name in new if name in entry.left_out)

    def settle(self) -> None:
        """Gives Kommo time to end what it may still be at."""
        self.api.pause(SETTLE_SECONDS)

    def fail_entry(self, entry: Entry[Change], error: KommoError) -> None:
        if isinstance(error, Validation) and not located_complaints(entry.body, error):
            self.unexplained += 1 + entry.guesses
        refused = entry.refused or refused_options(entry.body, error)
        self.fail(entry.subject, error, refused, self._refused_options(entry))

    @property
    def may_guess(self) -> bool:
        """Tells if requests may be spent on the part that is to blame: not where everything is refused."""
        return self.unexplained < MAX_UNEXPLAINED

    def skip(self, changes: Iterable[Change], message: str) -> None:
        if rows := [Outcome.of(change, SKIPPED, message) for change in changes]:
            self.report(rows)
