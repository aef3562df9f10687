"""Text that a spreadsheet would take for a formula: a quote before it on the way out, taken off on the way in."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

# https://owasp.org/www-community/attacks/CSV_Injection; after quotes too, so that what comes back is what went out.
# The wide forms count where Japanese or Chinese is the language of the spreadsheet.
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
BOM = "\ufeff"  # at the start of a file; without it spreadsheets take UTF-8 for another encoding
GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def guarded(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) else text


def csv_line(cells: Iterable[Any]) -> str:
    """Returns a line of a CSV file with its texts guarded."""
    line = io.StringIO()
    csv.writer(line).writerow([guarded(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue()


def unguarded(text: str) -> str:
    return text[1:] if GUARDED.match(text) else text
