"""A file of accounts as rows with line numbers, before their meaning is looked at."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from django.utils.translation import gettext as _

from accounts.services.tables.delimited import read_lines
from accounts.services.tables.formulas import unguarded
from accounts.services.tables.lines import Line, NotText, bare, trimmed, unreadable
from accounts.services.tables.sheets import is_workbook, read_sheet

REQUIRED = ("subdomain",)
SECRETS = ("token", "client_secret", "refresh_token")
COLUMNS = (
    *("subdomain", "role", "name", "token"),
    *("client_id", "client_secret", "refresh_token", "redirect_uri"),
    *("email", "group"),
)
# What an export has beside these; nobody sets it by a file.
INFORMATIVE = ("credential", "health", "health_reason", "checked", "token_expires", "kommo_id", "paused")
MOST_ROWS = 20_000
AS_WRITTEN = ("name", "group")  # what may hold invisible characters between others
# A JSON web token, or a word that nobody would write: tokens and secrets have hundreds of characters, or 64.
MAY_BE_SECRET = re.compile(r"eyj|(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{24}|[a-z0-9]{40}", re.IGNORECASE)
LONGEST_QUOTE = 80  # characters
BREAKS = re.compile(r"[\0\r\n]")


class RowError(NamedTuple):
    """The error of one line; `line` counts from 1, as editors do."""

    line: int
    message: str


class RowNote(NamedTuple):
    """Something to know about a line that is good; 0 is the file."""

    line: int
    message: str


@dataclass(frozen=True)
class TableRow:
    """One line; a cell that is empty or missing is ""."""

    line: int
    cells: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Table:
    """The rows of a file, the lines that are none, and what else there is to say."""

    rows: list[TableRow] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    notes: list[RowNote] = field(default_factory=list)

    def add(self, line: Line, columns: list[str]) -> None:
        """Adds the line as a row, and notes what was removed from its cells; as an error when it is no row."""
        flaw = _flaw(line, columns)
        if flaw:
            self.errors.append(RowError(line.number, flaw))
            return
        cells = dict.fromkeys(COLUMNS, "")
        spaces: list[str] = []
        invisible: list[str] = []
        for column, cell in zip(columns, line.cells, strict=False):
            if column in cells and isinstance(cell, str):
                text = trimmed(cell) if column in AS_WRITTEN else bare(cell)
                cells[column] = text if column in SECRETS else unguarded(text)
                if text and text != cell:
                    (spaces if text == cell.strip() else invisible).append(column)
        self.rows.append(TableRow(line.number, cells))
        if spaces:
            message = _("Spaces around %(columns)s were removed.") % {"columns": ", ".join(spaces)}
            self.notes.append(RowNote(line.number, message))
        if invisible:
            message = _("Invisible characters in %(columns)s were removed.") % {"columns": ", ".join(invisible)}
            self.notes.append(RowNote(line.number, message))


def read_table(content: bytes) -> Table:
    """Returns the rows of a CSV or XLSX file: the content decides which of them it is. Raises Refusal."""
    lines: Iterable[Line]
    lines, notes = read_sheet(content) if is_workbook(content) else (read_lines(content), [])
    table = Table(notes=[RowNote(0, message) for message in notes])
    rest = iter(lines)
    header = next((line for line in rest if not line.is_blank and not line.is_separator_hint), None)
    if header is None:
        raise unreadable(_("The file is empty."))
    columns, problem = _columns(header)
    if problem:
        table.errors.append(RowError(header.number, problem))
        return table
    ignored = [column for column in columns if column in INFORMATIVE]
    if ignored:
        table.notes.append(
            RowNote(0, _("These columns are for information and were not read: %s.") % ", ".join(ignored))
        )
    for line in rest:
        if len(table.rows) + len(table.errors) >= MOST_ROWS:
            raise unreadable(_("The file has more than %d lines.") % MOST_ROWS)
        if not line.is_blank:
            table.add(line, columns)
    return table


def may_be_secret(cell: str) -> bool:
    """Returns True for what looks like a token or a secret, as in a file with shifted columns or without a header."""
    return bool(MAY_BE_SECRET.search(cell))


def quoted(cell: str) -> str:
    """Returns `cell` for a message; *** when it might be a secret."""
    if may_be_secret(cell):
        return "***"
    return repr(cell if len(cell) <= LONGEST_QUOTE else f"{cell[:LONGEST_QUOTE]}…")


def _columns(header: Line) -> tuple[list[str], str]:
    """Returns the names of the columns, and what is wrong with them."""
    columns = ["" if isinstance(cell, NotText) else bare(cell).lower() for cell in header.cells]
    while columns and not columns[-1]:
        columns.pop()
    known = ", ".join(COLUMNS)
    allowed = {*COLUMNS, *INFORMATIVE}
    unknown = [f"{at} ({quoted(column)})" for at, column in enumerate(columns, start=1) if column not in allowed]
    if header.flaw:
        return columns, header.flaw
    if unknown:
        facts = {"columns": ", ".join(unknown)[:200], "known": known}
        return columns, _("Unknown columns: %(columns)s. Known are: %(known)s.") % facts
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        facts = {"columns": ", ".join(missing), "known": known}
        return columns, _("Missing columns: %(columns)s. Known are: %(known)s.") % facts
    if len(set(columns)) < len(columns):
        return columns, _("Two columns have the same name.")
    return columns, ""


def _flaw(line: Line, columns: list[str]) -> str:
    """Returns what keeps the line from being a row; "" when nothing does."""
    if line.flaw:
        return line.flaw
    if any(isinstance(cell, NotText) or bare(cell) for cell in line.cells[len(columns) :]):
        facts = {"cells": len(line.cells), "columns": len(columns)}
        return _("%(cells)d cells under %(columns)d columns; put text with the delimiter into quotes.") % facts
    for column, cell in zip(columns, line.cells, strict=False):
        if column not in COLUMNS:
            continue
        if isinstance(cell, NotText):
            return cell.why % {"column": column}
        if BREAKS.search(cell.strip()):
            return _("%(column)s holds a line break.") % {"column": column}
    return ""
