"""Makes texts and ids from outside fit for a database and for messages."""

from collections.abc import Iterable

LONGEST_ID = 18  # digits; longer ones overflow
LONGEST_EXCERPT = 300  # characters of a foreign text that may enter an error
HIDDEN = "***"


def storable(text: str) -> str:
    """Returns `text` without what a database cannot keep: NUL characters, halves of surrogate pairs."""
    if text.isascii() and "\x00" not in text:  # most are, and every name of a run passes here
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def storable_id(text: str) -> int | None:
    """Returns the id in `text`; None when it is none, or none that a database can look for."""
    return int(text) if text.isdecimal() and len(text) <= LONGEST_ID else None


def excerpt(text: str, secrets: Iterable[str]) -> str:
    """Returns the beginning of a foreign text; secrets are hidden before it is cut, as a part of one is one, too."""
    for secret in filter(None, secrets):
        text = text.replace(secret, HIDDEN)
    return storable(text)[:LONGEST_EXCERPT]
