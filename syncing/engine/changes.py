"""Changes: what a plan consists of, with extras, manual items and conflicts beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from syncing.engine.refs import Ref


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True)
class Change:
    """One item to create, update or delete. `fields`: attribute -> (old, new), in words for people, without any id."""

    action: Action
    ref: Ref
    name: str
    parent: str
    fields: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Extra:
    """An item that only the slave has and that is kept; `message`: why, where the policy would have deleted it."""

    ref: Ref
    name: str
    parent: str
    message: str = ""


@dataclass(frozen=True)
class Manual:
    """A change that the API cannot make, with the reason."""

    kind: str
    name: str
    parent: str
    message: str


@dataclass(frozen=True)
class Conflict:
    """Ambiguous, so nothing is written for it, nor for what depends on it."""

    ref: Ref
    name: str
    parent: str
    message: str
