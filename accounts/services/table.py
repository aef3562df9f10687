"""A file of accounts as rows with line numbers, before anybody asks what they mean."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

REQUIRED = ("subdomain",)
COLUMNS = ("subdomain", "role", "name", "token", "client_id", "client_secret", "refresh_token", "redirect_uri")
DELIMITERS = ",;\t"
LINE_END = re.compile(r"\r\n|\n|\r")  # not splitlines(): a name may hold one of its rarer separators
UNDECODED = re.compile("[\udc80-\udcff]")
HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,19}")  # as a role or a subdomain; a token is longer


class RowError(NamedTuple):
    """What is wrong with one line; `line` counts from 1, as editors do."""

    line: int
    message: str


@dataclass(frozen=True)
class Row:
    """One line; a cell that is empty or missing is ""."""

    line: int
    cells: dict[str, str]


class UnreadableFile(Exception):
    """Not a table at all; the message is for the operator."""


def read_table(content: bytes) -> tuple[list[Row], list[RowError]]:
    """The rows of a CSV file and the lines that are none.

    Comma, semicolon or tab; BOM, blank lines, any line ending. Every line is read by itself, as no column may hold a
    line break: a quote left open costs one row instead of the rest of the file. Raises UnreadableFile.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFile(_('The file is UTF-16; save it as "CSV UTF-8".'))
    lines = _lines(content)
    first = next(lines, None)
    if first is None:
        raise UnreadableFile(_("The file is empty."))
    at, header = first
    delimiter = max(DELIMITERS, key=header.count)
    if flaw := _flaw(header):
        return [], [RowError(at, flaw)]
    columns, problem = _columns(_cells(header, delimiter))
    if problem:
        return [], [RowError(at, problem)]
    rows, errors = [], []
    for at, line in lines:
        cells = _cells(line, delimiter)
        if not any(cells):
            continue
        flaw = _flaw(line) or _too_many(cells, columns)
        if flaw:
            errors.append(RowError(at, flaw))
        else:
            rows.append(Row(at, dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells, strict=False))))
    return rows, errors


def quoted(cell: str) -> str:
    """`cell` for a message; *** when it might be a secret, as in a file with shifted columns or without a header."""
    return repr(cell) if not cell or HARMLESS.fullmatch(cell) else "***"


def _lines(content: bytes) -> Iterator[tuple[int, str]]:
    text = content.decode("utf-8-sig", errors="surrogateescape")
    return ((at, line) for at, line in enumerate(LINE_END.split(text), start=1) if line.strip())


def _cells(line: str, delimiter: str) -> list[str]:
    cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    return [cell.strip() for cell in cells]


def _flaw(line: str) -> str:
    if UNDECODED.search(line):
        return _('This line is not UTF-8; save the file as "CSV UTF-8".')
    if "\0" in line:
        return _("This line holds a NUL byte.")
    if line.count('"') % 2:
        return _("A quote is left open.")
    return ""


def _columns(header: list[str]) -> tuple[list[str], str]:
    columns = [cell.lower() for cell in header]
    while columns and not columns[-1]:
        columns.pop()
    known = ", ".join(COLUMNS)
    unknown = [f"{at} ({quoted(column)})" for at, column in enumerate(columns, start=1) if column not in COLUMNS]
    if unknown:
        facts = {"columns": ", ".join(unknown)[:200], "known": known}
        return columns, _("Unknown columns: %(columns)s. Known are: %(known)s.") % facts
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        facts = {"columns": ", ".join(missing), "known": known}
        return columns, _("Missing columns: %(columns)s. Known are: %(known)s.") % facts
    if len(set(columns)) < len(columns):
        return columns, _("A column is there twice.")
    return columns, ""


def _too_many(cells: list[str], columns: list[str]) -> str:
    if not any(cells[len(columns) :]):
        return ""
    facts = {"cells": len(cells), "columns": len(columns)}
    return _("%(cells)d cells under %(columns)d columns; put text with the delimiter into quotes.") % facts
