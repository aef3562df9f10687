"""The input and the result of an account run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from syncing.adapters.gate import Gate
from syncing.adapters.outcomes import Outcome
from syncing.engine.assumed import DeltaBase
from syncing.engine.delta import PartRead
from syncing.engine.pending import ListKey, Pending
from syncing.engine.refs import Ref, Scope
from syncing.engine.rules import NO_RULES, Rules
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import ItemKey, ShownName


@dataclass(frozen=True)
class Target:
    """Everything that an account run needs; loaded before, so that the thread never asks the database.

    Usually `desired` is the master's and the account a slave. For a rollback it is what the slave had before; for a
    promotion the account is the master, and `desired` is the master with the picked items of a slave in it. In both,
    `known` lets every item of the account stand for itself.
    """

    subdomain: str
    scope: Scope
    writes: bool  # False: plan only
    desired: Snapshot
    known: Mapping[Ref, str]  # id mappings: ref -> the slave's key
    rules: Rules = NO_RULES
    approved_digest: str = ""  # only the plan with this digest may be carried out; "": any
    base: Snapshot | None = None  # the master as it was when the slave was last equal to it
    gate: Gate | None = None  # of a promotion: opened for exactly the plan
    # what the account shows otherwise than sent
    stored_names: Mapping[ItemKey, ShownName] = field(default_factory=dict)
    fresh: frozenset[Ref] = frozenset()  # of `known`: mapped so short a time ago that a reading may not show it yet
    # Creations that were sent and not seen since; None: the account is not brought to its master, so none are noted.
    pending: Mapping[ListKey, Pending] | None = None
    delta: DeltaBase | None = None  # what is known of the account without reading it; None: it is read whole
    rules_digest: str = ""  # of the rules and the policy: stored if the account converges


class Doubt(Exception):
    """What is assumed of an account without reading it cannot be relied on: it must be read whole."""


@dataclass(frozen=True)
class Mapped:
    """An id mapping to store: `ref` of the master is the item `slave_key` of the slave."""

    ref: Ref
    slave_key: str
    name: str
    parent: str
    created_by_us: bool


@dataclass(frozen=True)
class Notes:
    """Names that the account shows otherwise, and pending creations, to be stored (None: to be forgotten)."""

    stored_names: Mapping[ItemKey, ShownName | None] = field(default_factory=dict)
    pending: Mapping[ListKey, Pending | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.stored_names or self.pending)


NO_NOTES = Notes()


@dataclass(frozen=True)
class Result:
    """The account's entry in the run document (docs/interface.md), without the subdomain."""

    state: str  # an AccountState value
    reason: str | None
    error: dict[str, str] | None  # code, message, remedy
    document: dict[str, Any]  # changes, extras, conflicts, manual
    digest: str
    created: int
    updated: int
    deleted: int
    adopted: int
    requests: int
    kommo_id: int | None  # as the answers showed it
    differences: tuple[dict[str, Any], ...] | None = None  # what differs now (see engine.drift); None: not known
    converged: bool = False  # read, and equal to `desired` as far as the rules go
    part: PartRead | None = None  # what was read of the account; None: all of it
    rules_digest: str = ""  # as in Target
    earlier: tuple[Outcome, ...] = ()  # what was done before a doubt, after which the account was read whole


class Record(Protocol):
    """Stores what has happened before the next request goes out; blocks until it is committed; raises Stopped."""

    def __call__(
        self,
        outcomes: Sequence[Outcome],
        mapped: Sequence[Mapped],  # id mappings to store
        dropped: Sequence[Ref],  # id mappings to drop
        notes: Notes = NO_NOTES,
        /,
    ) -> None: ...


# Stores the account as it was read, before the first write of it goes out; blocks until it is committed. With a part
# of it the rest was only assumed.
StoreBefore = Callable[[Snapshot, PartRead | None], None]
# Called between two requests with a short note; raises Stopped when the account must stop.
Checkpoint = Callable[[str], None]
