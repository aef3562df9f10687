"""Text that a spreadsheet would take for a formula: a quote before it on the way out, taken off on the way in."""

import re

# https://owasp.org/www-community/attacks/CSV_Injection; after quotes too, so that what comes back is what went out.
FORMULA = re.compile(r"'*[=+\-@\t\r]")
GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guarded(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    return text[1:] if GUARDED.match(text) else text
