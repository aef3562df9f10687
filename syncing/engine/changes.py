"""What a plan consists of: changes, extras, manual items; and how they are shown."""

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
    """One item to create or update. `fields`: attribute -> (old, new), in words for people, without any id."""

    action: Action
    ref: Ref
    name: str
    parent: str
    fields: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Extra:
    """An item that only the slave has; it is kept."""

    kind: str
    name: str
    parent: str


@dataclass(frozen=True)
class Manual:
    """What the API cannot do, with the reason."""

    kind: str
    name: str
    parent: str
    message: str
