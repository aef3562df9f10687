"""What the writers of all kinds share: the plan at hand, the ids known so far, and how progress is told."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from accounts.kommo.errors import KommoError, Validation
from syncing.adapters import batches
from syncing.adapters.api import Api, Json
from syncing.adapters.batches import Entry, Seen
from syncing.adapters.reader import Reader
from syncing.adapters.repairs import Optional, in_words, lighter, lighter_new, option_name, pieces, places
from syncing.engine.changes import Action, Change
from syncing.engine.normalise import Item
from syncing.engine.order import STEP, give_way, merge, numbers
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import Key, StoredName

DONE, FAILED, SKIPPED = "done", "failed", "skipped"
UNVERIFIED = "unverified"  # written, but not as it was meant
MOST_MUTE = 12
REFUSED = "Kommo refused a part of it:"
SETTLE = 5.0  # seconds after which a request without an answer is taken for ended

Token = Hashable  # a Ref, or the key of an item that only the slave has


@dataclass(frozen=True)
class Written:
    """What an answer says of one change; `keys` are the ids that came into being with it.

    `refused`: new options that were refused by name, so that they are known not to be there.
    """

    change: Change
    state: str
    message: str = ""
    code: str = ""  # the reason code of a failure
    keys: Mapping[Ref, str] = field(default_factory=dict)
    refused: frozenset[Ref] = frozenset()


@dataclass
class Work:
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
    report: Callable[[Sequence[Written]], None]
    rewrite_order: bool = False
    stored_names: Mapping[Key, StoredName] = field(default_factory=dict)  # what the account shows otherwise than sent
    age: Callable[[str], float] = lambda path: 0.0  # seconds since the list at this path was read
    mute: int = 0  # refusals of failed items, guesses among them, without a word about the part that is to blame

    def changes(self, kind: Kind, action: Action) -> list[Change]:
        return [change for change in self.plan.changes if change.ref.kind is kind and change.action is action]

    def item(self, ref: Ref) -> Item:
        return self.plan.desired.items[ref]

    def made(self, kind: Kind, parent: str = "") -> set[str]:
        """The account's keys of this kind under `parent` that are known by now, those just made among them."""
        return {key for ref, key in self.ids.items() if ref.kind is kind and key.startswith(parent)}

    def seen(self, kind: Kind, parent: str = "") -> set[str]:
        """As `made`, and what is held back: it was there before, too."""
        return self.made(kind, parent) | {held.key for held in self.existing.held if held.kind is kind}

    def renumbered(self, sorts: Mapping[Token, int], changed: Iterable[Ref]) -> list[Change]:
        """The present items that get a new number only because there was no room beside them: no change of the plan."""
        known = set(changed)
        refs = [
            token for token in sorts if isinstance(token, Ref) and token not in known and token in self.plan.match.keys
        ]
        return [Change(Action.UPDATE, ref, self.item(ref).name, self.item(ref).parent, {}) for ref in refs]

    def done(self, change: Change, keys: Mapping[Ref, str] | None = None) -> Written:
        self.ids.update(keys or {})
        return Written(change, DONE, keys=dict(keys or {}))

    def fail(
        self, change: Change, error: KommoError, refused: Sequence[str] = (), options: frozenset[Ref] = frozenset()
    ) -> None:
        """`refused`: the parts that are to blame, in words; `options`: the new ones among them."""
        message = " ".join([*([REFUSED, *refused] if refused else []), str(error)])
        self.report([Written(change, FAILED, message[:500], error.code, refused=options)])

    def tell_refused(self, entry: Entry[Change]) -> None:
        """Says which parts of an item were refused; what it is without them has been told before."""
        if entry.refused:
            message = " ".join([REFUSED, *entry.refused])
            refused = self._refused_options(entry)
            self.report([Written(entry.subject, UNVERIFIED, message[:500], Validation.code, refused=refused)])

    def _refused_options(self, entry: Entry[Change]) -> frozenset[Ref]:
        options = self.item(entry.subject.ref).attributes.get("enums", {})
        new = ((ref, option_name({"value": value})) for ref, value in options.items() if ref not in self.ids)
        return frozenset(ref for ref, name in new if name in entry.left_out)

    def settle(self) -> None:
        """Gives Kommo time to end what it may still be at."""
        self.api.pause(SETTLE)

    def fail_entry(self, entry: Entry[Change], error: KommoError) -> None:
        if isinstance(error, Validation) and not places(entry.body, error):
            self.mute += 1 + entry.guesses
        refused = entry.refused or in_words(entry.body, error)
        self.fail(entry.subject, error, refused, self._refused_options(entry))

    def lighter_new(self, keys: frozenset[str]) -> batches.Repair[Change]:
        """The repair of items to make that can do without `keys`."""
        return lambda entry, error: lighter_new(entry, error, Optional(keys), self.may_guess)

    @property
    def may_guess(self) -> bool:
        """Looking for the part that is to blame costs requests: not for everything, where everything is refused."""
        return self.mute < MOST_MUTE

    def patch_one(
        self,
        change: Change,
        path: str,
        body: Json,
        optional: Optional,
        renew: Callable[[], Json | None] | None = None,
    ) -> Json:
        """PATCH one item and report it; the answer, empty if the item failed or its answer was lost.

        What is `optional` costs only itself. `renew`, where saying it twice is not harmless: reads again and gives
        what is still to be said, None if all of it is there.
        """
        answers: list[Json] = []

        def send(bodies: list[Json]) -> list[Json]:
            return [self.api.patch(path, bodies[0])]

        def done(answered: Sequence[tuple[Entry[Change], Json]]) -> None:
            for entry, answer in answered:
                answers.append(answer)
                self.report([self.done(change)])
                self.tell_refused(entry)

        def look(chunk: Sequence[Entry[Change]]) -> Seen[Change]:
            entry, left = chunk[0], renew() if renew else None
            if left is None:
                return [(entry, {})], []
            return [], [replace(entry, body={key: left[key] for key in left if key in entry.body})]

        batches.update(
            [Entry(change, body)], send, done, self.fail_entry, self.settle,
            partial(lighter, optional=optional), look if renew else None,
            partial(pieces, optional=optional) if self.may_guess else None,
        )  # fmt: skip
        return answers[-1] if answers else {}

    def skip(self, changes: Iterable[Change], message: str) -> None:
        if rows := [Written(change, SKIPPED, message) for change in changes]:
            self.report(rows)


def sort_numbers(
    current: Sequence[tuple[Token, int]],
    target: Sequence[Ref],
    placing: Iterable[Ref],
    wished: Mapping[Ref, int],
    high: int,
    *,
    rewrite: bool = False,
) -> dict[Token, int]:
    """The sort numbers to write so that the items of `target` come in that order.

    `current`: the account's sequence with its numbers; `placing`: the items to place, new ones among them. Items
    that only the slave has (and predefined ones that the master does not show) keep their number and their order among
    the rest: without room in front of them the items come behind them, and without room there, too, the items of
    `target` that follow are numbered anew. Without room for that (or with `rewrite`) all of `target` is numbered anew
    behind everything else; without room there, from 1 on.
    """
    placing, ours = set(placing), set(target)
    fixed = {token: number for token, number in current if token not in placing}
    sequence = merge([token for token, _ in current], target, placing)
    wishes: dict[Token, int] = {ref: number for ref, number in wished.items()}  # noqa: C416
    following = [token for token in sequence if token in fixed and token in ours]
    while not rewrite:
        found = numbers(give_way(sequence, fixed, ours), fixed, wishes, 1, high)
        if found is not None:
            return found
        if not following:
            break
        del fixed[following.pop()]
    start = max((number for _, number in current), default=0)
    start = start if start + len(target) <= high else 0
    step = STEP if start + STEP * len(target) <= high else 1
    return {ref: start + step * position for position, ref in enumerate(target, start=1)}


def in_order(changes: Iterable[Change], sorts: Mapping[Token, int]) -> list[Change]:
    """Ascending by the number to write: right also where the server numbers everything anew at each write."""
    return sorted(changes, key=lambda change: sorts.get(change.ref, 0))
