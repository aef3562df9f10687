"""Rules: what one account is to be given of the master, what it may lose, and how much may happen at once."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from syncing.engine.changes import Conflict
from syncing.engine.refs import Kind, Ref, Scope

WHOLE = ""  # as an attribute: the item itself
WHOLE_ITEM: frozenset[str] = frozenset()  # as the attributes of an item in `Rules.only`: all of them


class Unmatched(StrEnum):
    """The treatment of an item of the slave that the master does not have."""

    KEEP = "keep"
    DELETE_CREATED = "delete_created"  # only what we made there
    DELETE_ALL = "delete_all"


@dataclass(frozen=True)
class ExclusionRule:
    """An item of this name (as in the master), with all inside it, or without a name the whole kind: left out."""

    kind: Kind
    name: str = ""


@dataclass(frozen=True)
class Limits:
    """The limits of what a run may do to one account; shares in percent. None in `Rules`: whatever the plan says."""

    max_update_share: int = 30
    max_delete_share: int = 10
    minimum_items: int = 10
    max_deletes: int = 20


@dataclass(frozen=True)
class Rules:
    """Everything beside the two snapshots that a plan depends on; all of it in refs or in the slave's keys.

    `created`: the slave's items that we made, as (kind, slave key). `accepted`: differences that are kept out, as
    (ref, attribute) or (ref, WHOLE). `only`: the plan is about these refs alone and about these attributes of each
    (an empty set: the whole item); None: about all. `in_use`: the slave's items that must not be
    deleted, as `created`, and why. `uncertain`: what may be in the account, though nobody can tell as which item.
    `deletes_after_review`: an account whose plan deletes something is refused until a person has approved that plan.
    """

    unmatched: Mapping[Kind, Unmatched] = field(default_factory=dict)  # a kind that is missing is kept
    created: frozenset[tuple[Kind, str]] = frozenset()
    exclusions: frozenset[ExclusionRule] = frozenset()
    accepted: frozenset[tuple[Ref, str]] = frozenset()
    only: Mapping[Ref, frozenset[str]] | None = None
    in_use: Mapping[tuple[Kind, str], str] = field(default_factory=dict)
    limits: Limits | None = None
    uncertain: tuple[Conflict, ...] = ()
    deletes_after_review: bool = False

    def unmatched_of(self, kind: Kind) -> Unmatched:
        return self.unmatched.get(kind, Unmatched.KEEP)

    def digest(self, policy: Scope | None) -> str:
        """Returns the same for rules by which an account that is equal to its master stays equal to it.

        `policy`: the kinds that are kept in step at all.
        """
        compared = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in OF_ONE_RUN}
        rows = [(name, sorted(map(repr, _members(value)))) for name, value in sorted(compared.items())]
        return hashlib.sha256(repr([policy, rows]).encode()).hexdigest()


# What does not decide what an account is to become, or follows from the account itself.
OF_ONE_RUN = frozenset({"created", "in_use", "limits", "uncertain", "deletes_after_review"})


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.items()
    return value if isinstance(value, frozenset) else (value,)


NO_RULES = Rules()
