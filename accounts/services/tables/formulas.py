"""Text that a spreadsheet would take for a formula: a quote before it on the way out, taken off on the way in."""

import re

# https://owasp.org/www-community/attacks/CSV_Injection; after quotes too, so that what comes back is what went out.
# The wide forms count where Japanese or Chinese is the language of the spreadsheet.
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def guarded(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    return text[1:] if GUARDED.match(text) else text
