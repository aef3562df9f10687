"""What the writers of all kinds share: the plan at hand, the ids known so far, and how progress is told."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from accounts.kommo.errors import KommoError, Validation
from syncing.adapters import batches
from syncing.adapters.api import Api, Json
from syncing.adapters.batches import Entry, UpdateCheck
from syncing.adapters.reader import Reader
from syncing.adapters.repairs import (
    OptionalParts,
    located_complaints,
    option_name,
    reduce_creation,
    reduce_update,
    refused_options,
    split_update,
)
from syncing.adapters.sorting import RefOrKey
from syncing.engine.changes import Action, Change
from syncing.engine.normalise import Item
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import ItemKey, ShownName

DONE, FAILED, SKIPPED = "done", "failed", "skipped"
UNVERIFIED = "unverified"  # written, but not as it was meant
MAX_UNEXPLAINED = 12
REFUSED = "Kommo refused a part of it:"
SETTLE_SECONDS = 5.0  # seconds after which a request without an answer is taken for ended


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
    report: Callable[[Sequence[Written]], None]
    rewrite_order: bool = False
    # what the account shows otherwise than sent
    stored_names: Mapping[ItemKey, ShownName] = field(default_factory=dict)
    age: Callable[[str], float] = lambda path: 0.0  # seconds since the list at this path was read
    unexplained: int = 0  # refusals of failed items, guesses among them, without a word about the part that is to blame

    def changes(self, kind: Kind, action: Action) -> list[Change]:
        return [change for change in self.plan.changes if change.ref.kind is kind and change.action is action]

    def item(self, ref: Ref) -> Item:
        return self.plan.desired.items[ref]

    def known_keys(self, kind: Kind, parent: str = "") -> set[str]:
        """The account's keys of this kind under `parent` that are known by now, those just made among them."""
        return {key for ref, key in self.ids.items() if ref.kind is kind and key.startswith(parent)}

    def present_keys(self, kind: Kind, parent: str = "") -> set[str]:
        """As `known_keys`, and what is held back: it was there before, too."""
        return self.known_keys(kind, parent) | {held.key for held in self.existing.held if held.kind is kind}

    def renumbered(self, sorts: Mapping[RefOrKey, int], changed: Iterable[Ref]) -> list[Change]:
        """The present items that get a new number only because there was no room beside them: no change of the plan."""
        known = set(changed)
        refs = [
            token for token in sorts if isinstance(token, Ref) and token not in known and token in self.plan.match.keys
        ]
        return [Change(Action.UPDATE, ref, self.item(ref).name, self.item(ref).parent, {}) for ref in refs]

    def succeeded(self, change: Change, keys: Mapping[Ref, str] | None = None) -> Written:
        self.ids.update(keys or {})
        return Written(change, DONE, keys=dict(keys or {}))

    def fail(
        self, change: Change, error: KommoError, refused: Sequence[str] = (), options: frozenset[Ref] = frozenset()
    ) -> None:
        """`refused`: the parts that are to blame, in words; `options`: the new ones among them."""
        message = " ".join([*([REFUSED, *refused] if refused else []), str(error)])
        self.report([Written(change, FAILED, message[:500], error.code, refused=options)])

    def report_refused_parts(self, entry: Entry[Change]) -> None:
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
        self.api.pause(SETTLE_SECONDS)

    def fail_entry(self, entry: Entry[Change], error: KommoError) -> None:
        if isinstance(error, Validation) and not located_complaints(entry.body, error):
            self.unexplained += 1 + entry.guesses
        refused = entry.refused or refused_options(entry.body, error)
        self.fail(entry.subject, error, refused, self._refused_options(entry))

    def creation_repair(self, keys: frozenset[str]) -> batches.Repair[Change]:
        """The repair of items to make that can do without `keys`."""
        return lambda entry, error: reduce_creation(entry, error, OptionalParts(keys), self.may_guess)

    @property
    def may_guess(self) -> bool:
        """Looking for the part that is to blame costs requests: not for everything, where everything is refused."""
        return self.unexplained < MAX_UNEXPLAINED

    def patch_one(
        self,
        change: Change,
        path: str,
        body: Json,
        optional: OptionalParts,
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
                self.report([self.succeeded(change)])
                self.report_refused_parts(entry)

        def look(chunk: Sequence[Entry[Change]]) -> UpdateCheck[Change]:
            entry, left = chunk[0], renew() if renew else None
            if left is None:
                return [(entry, {})], []
            return [], [replace(entry, body={key: left[key] for key in left if key in entry.body})]

        batches.update(
            [Entry(change, body)], send, done, self.fail_entry, self.settle,
            partial(reduce_update, optional=optional), look if renew else None,
            partial(split_update, optional=optional) if self.may_guess else None,
        )  # fmt: skip
        return answers[-1] if answers else {}

    def skip(self, changes: Iterable[Change], message: str) -> None:
        if rows := [Written(change, SKIPPED, message) for change in changes]:
            self.report(rows)
