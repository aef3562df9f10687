"""The ledger of one account: what was planned, what became of it, and the sums."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.kommo.errors import Validation
from syncing.adapters.context import DONE, FAILED, SKIPPED, UNVERIFIED, Written
from syncing.engine.changes import Action, Change
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref
from syncing.replication.contract import Outcome

PLANNED = "planned"
STORED_AS = "Kommo stores it as {!r}."
SPOILED = "It was only written back, and Kommo stores it as {!r} since."


@dataclass
class Row:
    """One change and its fate."""

    change: Change
    state: str = PLANNED
    message: str = ""
    code: str = ""
    attempts: int = 0
    named_otherwise: bool = False  # done, but for the name that Kommo made of it
    refused: frozenset[Ref] = frozenset()  # new options that are known not to be there
    corrected: bool = False  # after a part was refused: the re-reading tells whether that has made up for it

    @property
    def has_refused_part(self) -> bool:
        return self.state == UNVERIFIED and self.code == Validation.code

    def outcome(self, key: str = "") -> Outcome:
        change = self.change
        fields = {name: list(pair) for name, pair in change.fields.items()}
        kind = str(change.ref.kind)
        return Outcome(str(change.action), kind, change.name, change.parent, self.state, self.message, fields, key)

    def document(self) -> dict[str, Any]:
        change = self.change
        row: dict[str, Any] = {
            "action": str(change.action),
            "kind": str(change.ref.kind),
            "name": change.name,
            "parent": change.parent,
            "fields": {name: list(pair) for name, pair in change.fields.items()},
            "outcome": self.state,
        }
        return {**row, "message": self.message} if self.message else row


@dataclass
class Ledger:
    """Rows by ref, in the order of the plan."""

    rows: dict[Ref, Row] = field(default_factory=dict)

    def expect(self, plan: Plan) -> None:
        """Take up the plan's changes; a later correction of an item that has a row belongs to that row."""
        for change in plan.changes:
            self.rows.setdefault(change.ref, Row(change))

    def note(self, written: Iterable[Written]) -> list[Row]:
        """Enter what the answers say; the rows that are new facts."""
        news = []
        for item in written:
            row = self.rows.get(item.change.ref)
            if row is None:
                continue  # only numbered anew: nobody's change
            row.attempts += 1
            row.refused |= item.refused
            if item.state == DONE and row.has_refused_part:
                row.corrected = True
                continue
            before = row.state
            corrected = item.change.action is not row.change.action
            row.state = UNVERIFIED if item.state != DONE and corrected else item.state
            row.message, row.code = item.message, item.code
            if row.state != before:
                news.append(row)
        return news

    def settled(self, ref: Ref) -> bool:
        """Nothing more will be tried for it."""
        return ref in self.rows and self.rows[ref].state in (FAILED, SKIPPED)

    def untold(self) -> list[Ref]:
        """Returns what was to be made and failed for another reason than a refusal: it may be there."""
        return [
            ref
            for ref, row in self.rows.items()
            if row.change.action is Action.CREATE and row.state == FAILED and row.code != Validation.code
        ]

    def was_left_out(self, change: Change) -> bool:
        """It was to be made inside something new, and that was made without it."""
        row = self.rows.get(change.ref)
        is_unsent = row is not None and row.state == PLANNED and not row.attempts
        return is_unsent and change.action is Action.CREATE and change.ref.kind is Kind.STAGE

    def refused(self) -> frozenset[Ref]:
        """Returns what was to be made and is known not to be there: an answer has refused it."""
        items = [
            ref
            for ref, row in self.rows.items()
            if row.change.action is Action.CREATE and row.state == FAILED and row.code == Validation.code
        ]
        return frozenset(items).union(*(row.refused for row in self.rows.values()))

    def worth_another_try(self, ref: Ref) -> bool:
        """Nothing of it was refused: a refused part is not sent again in this run."""
        return not self.settled(ref) and not (ref in self.rows and self.rows[ref].state == UNVERIFIED)

    def doubt(self, remaining: Mapping[Ref, Change]) -> list[Row]:
        """Written, but the re-reading still shows a difference: that is not done."""
        doubted = []
        for ref, change in remaining.items():
            if change.action is Action.DELETE and ref not in self.rows:
                continue  # it came free only now: nobody was told of it, so it waits for the next run
            row = self.rows.setdefault(ref, Row(change))
            if row.state in (DONE, PLANNED):
                row.state, row.code = UNVERIFIED, "bad_answer"
                row.message = "Kommo accepted it, but reading again shows " + _still(change)
                doubted.append(row)
        return doubted

    def tell_names(self, changes: Iterable[Change], sentence: str = STORED_AS) -> list[Row]:
        """Names that Kommo made something else of: that is not done, and nothing is written for it again."""
        told = []
        for change in changes:
            row, message = self.rows.get(change.ref), sentence.format(change.fields["name"][0])
            if row is None:
                row = self.rows[change.ref] = Row(change)
            elif row.state in (FAILED, SKIPPED, UNVERIFIED):
                continue
            elif row.state == PLANNED and not row.attempts:
                row.message = message
                continue
            else:
                row.named_otherwise = True
            row.state, row.code, row.message = UNVERIFIED, "bad_answer", message
            told.append(row)
        return told

    def believe(self, remaining: Mapping[Ref, Change]) -> list[Row]:
        """What is as it should be after all, though nothing was sent for it: other moves have put it in its place.

        And what a later write has put right after a part was refused.
        """
        settled = [
            row
            for ref, row in self.rows.items()
            if row.state == PLANNED or (row.corrected and row.has_refused_part and ref not in remaining)
        ]
        for row in settled:
            row.state, row.code, row.message = DONE, "", ""
        return settled

    def skip_planned(self, message: str) -> None:
        for row in self.rows.values():
            if row.state == PLANNED:
                row.state, row.message = SKIPPED, message

    def count(self, action: Action) -> int:
        return sum(
            row.change.action is action and (row.named_otherwise or row.state in (DONE, PLANNED))
            for row in self.rows.values()
        )

    def first_problem(self) -> Row | None:
        return next((row for row in self.rows.values() if row.state in (FAILED, UNVERIFIED, SKIPPED)), None)


def _still(change: Change) -> str:
    if change.action is Action.CREATE:
        return "that it is not there."
    if change.action is Action.DELETE:
        return "that it is still there."
    return "; ".join(f"{name}: {old!r} instead of {new!r}" for name, (old, new) in change.fields.items()) + "."
