"""CSV as programs write it: comma, semicolon or tab (or as `sep=` says), with or without a BOM, any line ending."""

import csv
import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from accounts.services.tables.lines import SEPARATOR_HINT, Line, UnreadableFile, bare

DELIMITERS = ",;\t"
LINE_END = re.compile(r"\r\n|\n|\r")  # not splitlines(): a name may hold one of its rarer separators
LONGEST_LINE = 100_000  # characters; far above what all columns together may hold
UNDECODED = re.compile("[\udc80-\udcff]")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_lines(content: bytes) -> Iterator[Line]:
    """Every line by itself, as no column may hold a line break: a quote left open costs one line, not the rest.

    Raises UnreadableFile.
    """
    if content.startswith(UTF_16):
        raise UnreadableFile(_('The file is UTF-16; save it as "CSV UTF-8".'))
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
        flaw = _flaw(line)
        yield Line(number, () if flaw else _cells(line, delimiter), flaw)


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells with the spaces around them, where these can be told from what stands before a quote."""
    cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    as_they_stand = next(csv.reader([line], delimiter=delimiter), [])
    if len(as_they_stand) != len(cells):
        return cells
    return [
        f" {cell}" if raw[:1].isspace() and not cell[:1].isspace() else cell
        for raw, cell in zip(as_they_stand, cells, strict=True)
    ]


def _flaw(line: str) -> str:
    if UNDECODED.search(line):
        return _('This line is not UTF-8 text; save the file as "CSV UTF-8" or XLSX.')
    if "\0" in line:
        return _("This line holds a NUL byte.")
    if line.count('"') % 2:
        return _("A quote is left open.")
    if len(line) > LONGEST_LINE:
        return _("This line is longer than any can be.")
    return ""
