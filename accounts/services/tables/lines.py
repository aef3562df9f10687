"""A line of an uploaded file before anybody asks what its cells mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from accounts.refusals import Refusal

# What copying from a page, a chat or Excel brings along: soft hyphens, zero-width characters, marks of direction, BOMs.
INVISIBLE = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
AT_AN_END = re.compile(rf"\A[\s{INVISIBLE}]+|[\s{INVISIBLE}]+\Z")
# Beside them, what belongs to emoji and other scripts in a name, and nowhere else.
ANYWHERE = re.compile(
    rf"[{INVISIBLE}\u034f\u115f\u1160\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]+"
)
SEPARATOR_HINT = re.compile(r"""[\s\ufeff]*"?sep=([^\w\s"'.]|\t)"?[\s,;|]*\Z""", re.IGNORECASE)


def trimmed(text: str) -> str:
    """Removes spaces and invisible characters at both ends; inside the text, emoji and some scripts need those."""
    return AT_AN_END.sub("", text)


def bare(text: str) -> str:
    """Returns the text as it looks, for a column's name, a subdomain or a token: none holds an invisible character."""
    return ANYWHERE.sub("", text).strip()


def unreadable(message: str) -> Refusal:
    """Returns the refusal of a file that is not a table at all."""
    return Refusal("unreadable_file", message)


@dataclass(frozen=True)
class NotText:
    """A cell whose text is not what was typed; `why` has a place for the name of its column."""

    why: str


@dataclass(frozen=True)
class Line:
    """`number` counts from 1, as editors and Excel do; `flaw` says what is wrong with the line as a whole."""

    number: int
    cells: Sequence[str | NotText] = field(repr=False, default=())
    flaw: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.flaw and not any(isinstance(cell, NotText) or bare(cell) for cell in self.cells)

    @property
    def is_separator_hint(self) -> bool:
        """Returns True for `sep=;`, which tells Excel the delimiter."""
        texts = [cell for cell in self.cells if isinstance(cell, NotText) or cell.strip()]
        return len(texts) == 1 and isinstance(texts[0], str) and bool(SEPARATOR_HINT.match(texts[0]))
