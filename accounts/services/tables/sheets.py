"""XLSX workbooks: reads the first sheet as lines, and marks every cell of which Excel made something else than text."""

import io
import warnings
import zipfile
import zlib
from contextlib import closing, suppress
from datetime import date, time, timedelta
from functools import partial
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

from django.utils.translation import gettext as _
from openpyxl import load_workbook

from accounts.services.tables.lines import Line, NotText, unreadable

OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
UNPACKED = 30 * 1024 * 1024
MOST_CELLS = 200_000
MOST_TAGS = 30_000  # of styles and the like, which openpyxl turns into objects of a kilobyte each
MOST_ELEMENTS = 250_000  # in memory at a time, a quarter of a kilobyte each
ROWS = ("row", "si")  # of a sheet, and of the texts that sheets share
SHEETS_AND_TEXTS = ("xl/worksheets/", "xl/sharedStrings")
MOST_COLUMNS = 64
LAST_ROW = 100_000  # one number in a small file may say that a sheet has no end
EXACT = 10**15  # Excel keeps 15 digits
# What openpyxl raises for archives that are none, parts that are missing, and XML that says something else.
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, ParseError, KeyError, IndexError, ValueError, TypeError, AttributeError),
    *(OSError, EOFError, NotImplementedError, RuntimeError),
)


def is_workbook(content: bytes) -> bool:
    """Returns True for an archive; raises Refusal for what Excel wrote before 2007 or under a password."""
    if content.startswith(OLD_EXCEL):
        raise unreadable(_("This is an old .xls file, or one with a password; save it as .xlsx without one."))
    return content.startswith(b"PK") and zipfile.is_zipfile(io.BytesIO(content))


def read_sheet(content: bytes) -> tuple[list[Line], list[str]]:
    """Returns the lines of the first sheet, and what there is to say about the file. Raises Refusal."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is in the file beside the cells, such as styles it lacks
            _check_parts(archive)
            with closing(load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)) as book:
                if not book.worksheets:
                    raise unreadable(_("The file has no sheet with cells."))
                first, notes = book.worksheets[0], []
                # Counted before one of them is loaded; those that hold nothing but a format count too.
                too_many = _("The sheet has more than 200,000 cells; delete what is not needed, or save it as CSV.")
                _check_elements(archive, first._worksheet_path, "c", too_many)
                if len(book.sheetnames) > 1:
                    facts = {"count": len(book.sheetnames), "name": first.title}
                    notes.append(_("The file has %(count)d sheets; only the first one, %(name)s, was read.") % facts)
                return _lines(first), notes
    except DAMAGED as error:
        raise unreadable(_("This is no XLSX file, or a damaged one; save it anew, or as CSV UTF-8.")) from error


def _check_parts(archive: zipfile.ZipFile) -> None:
    """Refuses what is larger than any file of accounts before openpyxl loads it.

    A small archive may hold endless text; zipfile never unpacks more than an entry says of itself.
    """
    if sum(entry.file_size for entry in archive.infolist()) > UNPACKED:
        raise unreadable(_("The file is larger than 30 MB when it is unpacked."))
    for name in archive.namelist():
        if name.startswith(SHEETS_AND_TEXTS) or not name.endswith((".xml", ".rels")):
            too_many = _("The file holds more than 200,000 texts; keep only the sheet with the accounts.")
            _check_elements(archive, name, "si", too_many)
            continue
        with archive.open(name) as part:
            if sum(chunk.count(b"<") for chunk in iter(partial(part.read, 1 << 16), b"")) > MOST_TAGS:
                raise unreadable(_("The file holds too many styles; save it as CSV UTF-8."))


class _Elements:
    """Counts the elements that openpyxl has in memory at a time.

    What is inside a row, or a text, stays until that ends; everything else stays to the end of the part.
    """

    def __init__(self, counted: str) -> None:
        self._counted = counted
        self.count = self.outside = self.inside = self.depth = 0

    def start(self, name: str, _attributes: object) -> None:
        name = name.rpartition(":")[2]
        self.count += name == self._counted
        if self.depth or name in ROWS:
            self.depth += 1
            self.inside += 1
        else:
            self.outside += 1

    def end(self, _name: str) -> None:
        self.depth -= self.depth > 0
        if not self.depth:
            self.inside = 0


def _check_elements(archive: zipfile.ZipFile, name: str, counted: str, too_many: str) -> None:
    """Raises Refusal (`too_many`) for a part with too many `counted` elements, ValueError for one that is endless."""
    elements, parser = _Elements(counted), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = elements.start, elements.end
    with archive.open(name) as part, suppress(expat.ExpatError):  # openpyxl ends at the same place, if it reads this
        while chunk := part.read(1 << 16):
            parser.Parse(chunk)
            if elements.count > MOST_CELLS:
                raise unreadable(too_many)
            if max(elements.outside, elements.inside) > MOST_ELEMENTS:
                raise ValueError(name)  # no program writes such a file


def _lines(sheet: Any) -> list[Line]:
    """Returns the lines that are not empty; raises Refusal for a sheet that does not end."""
    sheet.reset_dimensions()  # some programs write wrong ones
    lines = []
    for number, row in enumerate(sheet.iter_rows(max_row=LAST_ROW, max_col=MOST_COLUMNS), start=1):
        if number >= LAST_ROW:
            raise unreadable(_("The sheet has cells below line %d; delete what stands there.") % LAST_ROW)
        cells = [_cell(cell.value, cell.data_type) for cell in row]
        while cells and cells[-1] == "":
            cells.pop()
        if cells:
            lines.append(Line(number, cells))
    return lines


def _cell(value: Any, kind: str) -> str | NotText:
    """Returns the text of a cell as it was typed; NotText where Excel made something else of it."""
    if value is None:
        return ""
    if kind == "f":
        return NotText(_("%(column)s holds a formula; put its value in its place."))
    if kind == "e":
        return NotText(_("%(column)s has an error value of the spreadsheet."))
    if isinstance(value, date | time | timedelta):
        return NotText(
            _("%(column)s was turned into a date by Excel; format the cell as text and type the value again.")
        )
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    if abs(value) >= EXACT:
        return NotText(
            _(
                "%(column)s is a number, and Excel stores only 15 digits of it; format the cell as text and "
                "copy the value again."
            )
        )
    return str(int(value)) if value == int(value) else str(value)  # as it was typed: 123 for 123.0
