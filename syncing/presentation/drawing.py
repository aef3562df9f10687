"""Drawing: funnels and fields in the order in which Kommo shows them, with what differs marked; values for templates.

Whatever two accounts differ in is told by `DrawnEdit`s of the master's configuration: the rows of a drift, the changes
of a plan. `presentation.painting.draw` makes the picture of either side of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any, NamedTuple, Self

SHORT = 15  # options that are all shown

# What a difference is, wherever it is stored.
DIFFERENCE = ("action", "kind", "key", "name", "parent", "attribute", "ours", "theirs")

ItemName = tuple[str, str]  # kind and key


class Side(StrEnum):
    MASTER = "master"  # also what an account has after a run
    ACCOUNT = "account"  # as it is before


class Mark(StrEnum):
    """What is special about an item; `MISSING` and `EXTRA` are drawn on the account's side only."""

    NONE = ""
    ADDED = "added"  # the account lacks it
    MISSING = "missing"  # the same, seen from the account
    REMOVED = "removed"  # only the account has it, and a run deletes it
    EXTRA = "extra"  # only the account has it, and it stays
    RENAMED = "renamed"
    MOVED = "moved"
    CHANGED = "changed"
    EXCLUDED = "excluded"  # kept out of the account's plans
    ACCEPTED = "accepted"  # differs, and may
    MANUAL = "manual"  # differs in what only a person can change


@dataclass(frozen=True)
class DrawnEdit:
    """One attribute, or a whole item (attribute ""), in which the two sides differ; values in words.

    `key` is that of the ref; where a document has none the item is found by its kind, name and parent.
    """

    action: str  # create | update | delete | extra
    kind: str
    key: str
    name: str
    parent: str
    attribute: str = ""
    ours: Any = None  # the master's
    theirs: Any = None  # the account's
    row: Any = None  # what it was made of, for buttons beside it

    @classmethod
    def of_difference(cls, row: Any) -> Self:
        """Makes it of a `selectors.drift.ListedDifference`."""
        return cls(**{name: getattr(row, name) for name in DIFFERENCE}, row=row)

    @classmethod
    def of_history(cls, row: Mapping[str, Any]) -> Self:
        """Makes it of a difference in the history of a drift."""
        return cls(**{name: row.get(name, "") for name in DIFFERENCE})

    @classmethod
    def of_change(cls, change: Mapping[str, Any]) -> "list[DrawnEdit]":
        """Makes them of a change of a run document: one of each attribute of an update."""
        what = (change["action"], change["kind"], "", change["name"], change.get("parent") or "")
        if change["action"] != "update":
            return [cls(*what, row=change)]
        return [cls(*what, name, new, old, row=change) for name, (old, new) in (change.get("fields") or {}).items()]


class AttributeChange(NamedTuple):
    """What an item is not the same in: `before` is the other side's value, `now` that of the side that is drawn."""

    attribute: str
    before: Any
    now: Any


@dataclass(frozen=True)
class Chip:
    """A stage, an option or the title of something bigger."""

    kind: str
    key: str
    name: str
    parent: str = ""
    color: str = ""
    mark: Mark = Mark.NONE
    changes: tuple[AttributeChange, ...] = ()
    is_system: bool = False
    edits: tuple[DrawnEdit, ...] = ()

    @property
    def rows(self) -> list[Any]:
        """Returns what its edits were made of."""
        return [edit.row for edit in self.edits]

    @property
    def old_name(self) -> str:
        return next((str(change.before) for change in self.changes if change.attribute == "name"), "")


@dataclass(frozen=True)
class Stretch:
    """Chips that stand side by side; `is_folded`: they are nothing special, and shown on demand."""

    chips: tuple[Chip, ...]
    is_folded: bool


def stretches(chips: Sequence[Chip]) -> list[Stretch]:
    """Splits a long list: what is marked and its neighbours are shown, else its begin; the rest is folded."""
    near = {at + step for at, chip in enumerate(chips) if chip.mark for step in (-1, 0, 1)} or set(range(SHORT))
    is_long = len(chips) > SHORT
    groups = groupby(range(len(chips)), key=lambda at: is_long and at not in near)
    return [Stretch(tuple(chips[at] for at in places), is_folded) for is_folded, places in groups]


@dataclass(frozen=True)
class ChipRow:
    """The chips of one side of a difference."""

    chips: tuple[Chip, ...] = ()

    @property
    def stretches(self) -> list[Stretch]:
        return stretches(self.chips)


@dataclass(frozen=True)
class DrawnPipeline:
    title: Chip
    stages: tuple[Chip, ...]
    is_main: bool = False
    is_archive: bool = False

    @property
    def edits(self) -> list[DrawnEdit]:
        return [*self.title.edits, *(edit for stage in self.stages for edit in stage.edits)]

    @property
    def is_marked(self) -> bool:
        return bool(self.title.mark or any(stage.mark for stage in self.stages))


@dataclass(frozen=True)
class DrawnField:
    """A field with its options; `required` and `hidden`: the stages, as `Pipeline / Stage`."""

    title: Chip
    type: str = ""
    options: tuple[Chip, ...] = ()
    required: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    @property
    def edits(self) -> list[DrawnEdit]:
        return [*self.title.edits, *(edit for option in self.options for edit in option.edits)]

    @property
    def is_marked(self) -> bool:
        return bool(self.title.mark or any(option.mark for option in self.options))

    @property
    def stretches(self) -> list[Stretch]:
        return stretches(self.options)


@dataclass(frozen=True)
class DrawnGroup:
    """A group of fields of leads, contacts or companies."""

    title: Chip
    entity: str
    fields: tuple[DrawnField, ...]

    @property
    def edits(self) -> list[DrawnEdit]:
        return [*self.title.edits, *(edit for each in self.fields for edit in each.edits)]

    @property
    def is_marked(self) -> bool:
        return bool(self.title.mark or any(each.is_marked for each in self.fields))


@dataclass(frozen=True)
class Drawing:
    pipelines: tuple[DrawnPipeline, ...]
    groups: tuple[DrawnGroup, ...]
