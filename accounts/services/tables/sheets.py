"""XLSX workbooks: the first sheet as lines, and every cell of which Excel made something else than text."""

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, time, timedelta
from typing import Any
from xml.etree.ElementTree import ParseError

from django.utils.translation import gettext as _
from openpyxl import load_workbook

from accounts.services.tables.lines import Line, NotText, UnreadableFile

OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
UNPACKED = 30 * 1024 * 1024
MOST_CELLS = 200_000
MOST_TAGS = 30_000  # of styles and the like, which openpyxl turns into objects of a kilobyte each
CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
TEXT = re.compile(rb"<(?:\w+:)?si[\s/>]")
TAG = re.compile(rb"<")
OVERLAP = 64  # bytes; a tag may lie across two chunks
MOST_COLUMNS = 64
SHEETS_AND_TEXTS = ("xl/worksheets/", "xl/sharedStrings")
LAST_ROW = 100_000  # one number in a small file may say that a sheet has no end
EXACT = 10**15  # Excel keeps 15 digits
# What openpyxl raises for archives that are none, parts that are missing, and XML that says something else.
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, ParseError, KeyError, IndexError, ValueError, TypeError, AttributeError),
    *(OSError, EOFError, NotImplementedError, RuntimeError),
)


def is_workbook(content: bytes) -> bool:
    """True for an archive; raises UnreadableFile for what Excel wrote before 2007 or under a password."""
    if content.startswith(OLD_EXCEL):
        raise UnreadableFile(_("This is an old .xls file, or one with a password; save it as .xlsx without one."))
    return content.startswith(b"PK") and zipfile.is_zipfile(io.BytesIO(content))


def read_sheet(content: bytes) -> tuple[list[Line], list[str]]:
    """The lines of the first sheet, and what there is to say about the file. Raises UnreadableFile."""
    try:
        _check_size(content)
        with warnings.catch_warnings():  # of what is in the file beside the cells, such as styles it lacks
            warnings.simplefilter("ignore")
            return _read(content)
    except DAMAGED as error:
        raise UnreadableFile(_("This is no XLSX file, or a damaged one; save it anew, or as CSV UTF-8.")) from error


def _check_size(content: bytes) -> None:
    """A small archive may hold endless text; zipfile never unpacks more than an entry says of itself."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > UNPACKED:
            raise UnreadableFile(_("Unpacked, the file is larger than 30 MB."))
        for name in archive.namelist():
            if _has_more(archive, name, TEXT, MOST_CELLS):
                raise UnreadableFile(
                    _("The file holds more than 200,000 texts; keep only the sheet with the accounts.")
                )
            is_other = name.endswith((".xml", ".rels")) and not name.startswith(SHEETS_AND_TEXTS)
            if is_other and _has_more(archive, name, TAG, MOST_TAGS):
                raise UnreadableFile(_("The file holds too many styles; save it as CSV UTF-8."))


def _check_cells(content: bytes, path: str) -> None:
    """Counted before one of them is loaded; those that hold nothing but a format count too."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if _has_more(archive, path, CELL, MOST_CELLS):
            raise UnreadableFile(
                _("The sheet has more than 200,000 cells; delete what is not needed, or save it as CSV.")
            )


def _has_more(archive: zipfile.ZipFile, name: str, pattern: re.Pattern[bytes], limit: int) -> bool:
    """True when the pattern is found more than `limit` times in the unpacked entry."""
    count, rest = 0, b""
    with archive.open(name) as part:
        while count <= limit and (chunk := part.read(1 << 16)):
            text = rest + chunk
            ends = [match.end() for match in pattern.finditer(text)]
            count += len(ends)
            rest = text[max([len(text) - OVERLAP, *ends[-1:]]) :]
    return count > limit


def _read(content: bytes) -> tuple[list[Line], list[str]]:
    book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
    try:
        if not book.worksheets:
            raise UnreadableFile(_("The file has no sheet with cells."))
        first = book.worksheets[0]
        _check_cells(content, first._worksheet_path)
        first.reset_dimensions()  # some programs write wrong ones
        rows = enumerate(first.iter_rows(max_row=LAST_ROW, max_col=MOST_COLUMNS), start=1)
        lines = [
            Line(number, _cells(row)) for number, row in _near(rows) if any(cell.value is not None for cell in row)
        ]
        notes = []
        if len(book.sheetnames) > 1:
            facts = {"count": len(book.sheetnames), "name": first.title}
            notes.append(_("The file has %(count)d sheets; only the first one, %(name)s, was read.") % facts)
        return lines, notes
    finally:
        book.close()


def _near(rows: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    for number, row in rows:
        if number >= LAST_ROW:
            raise UnreadableFile(_("The sheet has cells below line %d; delete what stands there.") % LAST_ROW)
        yield number, row


def _cells(row: Sequence[Any]) -> list[str | NotText]:
    cells = [_cell(cell.value, cell.data_type) for cell in row]
    while cells and cells[-1] == "":
        cells.pop()
    return cells


def _cell(value: Any, kind: str) -> str | NotText:
    if value is None:
        return ""
    if kind == "f":
        return NotText(_("%(column)s holds a formula; put its value in its place."))
    if kind == "e":
        return NotText(_("%(column)s holds an error of the sheet."))
    if isinstance(value, date | time | timedelta):
        return NotText(_("%(column)s holds a date, which Excel made of it; format the cell as text and type it again."))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _digits(value)
    return str(value)


def _digits(value: int | float) -> str | NotText:
    """A number as it was typed: 123 for 123.0."""
    if abs(value) >= EXACT:
        return NotText(
            _("%(column)s holds a number, of which Excel keeps 15 digits; format the cell as text and copy it again.")
        )
    return str(int(value)) if value == int(value) else str(value)
