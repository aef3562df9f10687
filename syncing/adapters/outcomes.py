"""The outcome of one object: one value from the answer that decides it, through the ledger, to its log row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from accounts.kommo.errors import Validation
from syncing.engine.changes import Change
from syncing.engine.refs import Ref

PLANNED, DONE, FAILED, SKIPPED = "planned", "done", "failed", "skipped"
UNVERIFIED = "unverified"  # written, but not as it was meant
ADOPT = "adopt"  # the action for an item that was already there and is met for the first time


@dataclass(frozen=True)
class Outcome:
    """The state of one object that is created, updated, deleted or adopted.

    A writer makes it where it understands the answer, the ledger keeps the latest one of each object, and
    `records/outcomes.py` writes what is before `code` as a log row, and reads it back. The rest stays in the run.
    """

    action: str  # an engine Action, or ADOPT
    kind: str
    name: str
    parent: str
    state: str
    message: str = ""
    fields: Mapping[str, list[Any]] = field(default_factory=dict)  # attribute -> [old, new]
    key: str = ""  # the account's own key of the item, where it is known
    code: str = ""  # the reason code of a failure
    ref: Ref | None = None  # None: read back from a log row
    keys: Mapping[Ref, str] = field(default_factory=dict)  # the ids that came into being with it
    refused: frozenset[Ref] = frozenset()  # new options that were refused by name: they are known not to be there

    @classmethod
    def of(
        cls, change: Change, state: str = PLANNED, message: str = "", code: str = "", *,
        keys: Mapping[Ref, str] | None = None, refused: frozenset[Ref] = frozenset(),
    ) -> Self:  # fmt: skip
        """Returns the outcome of a change."""
        fields = {name: list(pair) for name, pair in change.fields.items()}
        return cls(
            str(change.action), str(change.ref.kind), change.name, change.parent, state, message, fields,
            code=code, ref=change.ref, keys=keys or {}, refused=refused,
        )  # fmt: skip

    @property
    def has_refused_part(self) -> bool:
        return self.state == UNVERIFIED and self.code == Validation.code

    def as_change(self) -> dict[str, Any]:
        """Returns it as one of the `changes` of the run document (docs/interface.md), without the message."""
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "parent": self.parent,
            "fields": dict(self.fields),
            "outcome": self.state,
        }
