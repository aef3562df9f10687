"""CSV as programs write it: comma, semicolon or tab (or as `sep=` says), with or without a BOM, any line ending."""

import csv
import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from accounts.services.tables.lines import SEPARATOR_HINT, Line, bare, unreadable

DELIMITERS = ",;\t"
LINE_END = re.compile(r"\r\n|\n|\r")  # not splitlines(): a name may hold one of its rarer separators
LONGEST_LINE = 100_000  # characters; far above what all columns together may hold
UNDECODED = re.compile("[\udc80-\udcff]")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_lines(content: bytes) -> Iterator[Line]:
    """Yields every line by itself, as no column may hold a line break: a quote left open costs one line, not the rest.

    Raises Refusal.
    """
    if content.startswith(UTF_16):
        raise unreadable(_('The file is UTF-16; save it as "CSV UTF-8".'))
    text = content.decode("utf-8-sig", errors="surrogateescape").lstrip("\ufeff")  # two, after two programs
    delimiter = ""
    for number, line in enumerate(LINE_END.split(text), start=1):
        if not bare(line):
            continue
        hint = None if delimiter else SEPARATOR_HINT.match(line)
        if hint:
            delimiter = hint[1]
            continue
        delimiter = delimiter or max(DELIMITERS, key=line.count)
        yield _line(number, line, delimiter)


def _line(number: int, text: str, delimiter: str) -> Line:
    """Returns the line with its cells, or with its flaw."""
    if UNDECODED.search(text):
        return Line(number, flaw=_('This line is not UTF-8 text; save the file as "CSV UTF-8" or XLSX.'))
    if "\0" in text:
        return Line(number, flaw=_("This line holds a NUL byte."))
    if text.count('"') % 2:
        return Line(number, flaw=_("A quotation mark is never closed."))
    if len(text) > LONGEST_LINE:
        return Line(number, flaw=_("This line is too long."))
    cells = next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])
    with_spaces = next(csv.reader([text], delimiter=delimiter), [])
    if len(with_spaces) == len(cells):  # else no space can be told from what stands before a quote
        pairs = zip(with_spaces, cells, strict=True)
        cells = [f" {cell}" if raw[:1].isspace() and not cell[:1].isspace() else cell for raw, cell in pairs]
    return Line(number, cells)
