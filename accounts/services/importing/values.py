"""The values of an import: a sound row, an integration as it shall be, and the outcome of each line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Integration, SyncGroup
from accounts.refusals import Refusal
from accounts.services.tables.table import RowError, RowNote

IS_SET = _("••• set")  # all that is ever shown of a secret: that there is one,
IS_NEW = _("••• new")  # and that it becomes another


class BadRow(Refusal):
    """One row cannot be imported; the message says why and never quotes a secret."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_row", message)


class LineAction(StrEnum):
    """The effect of a line."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True)
class ColumnChange:
    """One value that becomes another, as it may be shown."""

    column: str
    old: str
    new: str


@dataclass
class WantedIntegration:
    """An integration as the rows of the file want it; an empty value keeps what is stored."""

    client_id: str
    stored: Integration | None
    values: dict[str, tuple[str, int]] = field(repr=False, default_factory=dict)  # column: value, line that brought it
    users: set[str] = field(default_factory=set)  # subdomains, of the file and stored
    written: Integration | None = None

    def value(self, column: str) -> str:
        return self.values.get(column, ("", 0))[0]

    @property
    def becomes_public(self) -> bool:
        return len(self.users) > 1 and not (self.stored and self.stored.is_public)


@dataclass(frozen=True)
class AccountRow:
    """A row that is sound by itself. `given` holds its cells by column; an empty one keeps what is stored."""

    line: int
    subdomain: str
    role: str
    group: SyncGroup
    account: Account | None  # as stored, without its secrets; None: it is new
    given: Mapping[str, str] = field(repr=False)
    integration: WantedIntegration | None = None
    changes: tuple[ColumnChange, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def makes_master(self) -> bool:
        return self.role == Account.Role.MASTER

    @property
    def action(self) -> LineAction:
        if self.account is None:
            return LineAction.CREATED
        return LineAction.UPDATED if self.changes else LineAction.UNCHANGED


@dataclass(frozen=True)
class LineOutcome:
    """The effect that one line will have, or had."""

    line: int
    action: LineAction
    subdomain: str = ""
    group: str = ""
    account: Account | None = None
    changes: tuple[ColumnChange, ...] = ()
    notes: tuple[str, ...] = ()
    message: str = ""  # why it is refused


@dataclass(frozen=True)
class ImportReport:
    """The outcomes of the lines of a file, in their order; `notes` are of the file as a whole."""

    group: str
    outcomes: tuple[LineOutcome, ...]
    notes: tuple[str, ...] = ()

    def count(self, action: LineAction) -> int:
        return sum(outcome.action == action for outcome in self.outcomes)

    @property
    def created(self) -> int:
        return self.count(LineAction.CREATED)

    @property
    def updated(self) -> int:
        return self.count(LineAction.UPDATED)

    @property
    def unchanged(self) -> int:
        return self.count(LineAction.UNCHANGED)

    @property
    def errors(self) -> list[RowError]:
        refused = (outcome for outcome in self.outcomes if outcome.action == LineAction.REFUSED)
        return [RowError(outcome.line, outcome.message) for outcome in refused]

    @property
    def all_notes(self) -> list[RowNote]:
        """Returns every note with its line; 0 is the file."""
        of_lines = [RowNote(outcome.line, note) for outcome in self.outcomes for note in outcome.notes]
        return [*(RowNote(0, note) for note in self.notes), *of_lines]
