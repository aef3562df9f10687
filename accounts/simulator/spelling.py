"""Changes of a name on its way into an account, or out of it: reports of servers that alter the text that was sent.

Nothing of it is documented. The variants `stored_names` and `shown_names` list these ways, `respelt_kinds` what they
concern.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accounts.simulator.variants import Variants

FIRST_ASTRAL = 0x10000  # a column of three bytes a character ends before it
SHORT = 24


WAYS: dict[str, Callable[[str], str]] = {
    "cut": lambda text: "".join(takewhile(lambda character: ord(character) < FIRST_ASTRAL, text)),
    "drop": lambda text: "".join(character for character in text if ord(character) < FIRST_ASTRAL),
    "question": lambda text: "".join(c if ord(c) < FIRST_ASTRAL else "?" for c in text),
    "escape": lambda text: html.escape(text, quote=True),
    "escape_twice": lambda text: html.escape(html.escape(text)),
    "escape_plain": lambda text: html.escape(text, quote=False),
    "trim": str.strip,
    "collapse": lambda text: " ".join(text.split()),
    "upper": str.upper,
    "lower": str.lower,
    "nfd": lambda text: unicodedata.normalize("NFD", text),
    "short": lambda text: text[:SHORT],
    "ascii": lambda text: unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode(),
    "quotes": lambda text: text.translate({ord('"'): "\u201c", ord("'"): "\u2019"}),
}


def stored_name(variants: Variants, kind: str, text: str) -> str:
    """Returns a name as the account stores it."""
    return _through(variants.stored_names, variants, kind, text) if variants.stored_names else text


def shown_name(variants: Variants, kind: str, text: str) -> str:
    """Returns a name as answers show it."""
    return _through(variants.shown_names, variants, kind, text) if variants.shown_names else text


def _through(ways: str, variants: Variants, kind: str, text: str) -> str:
    if variants.respelt_kinds and kind not in variants.respelt_kinds.split(","):
        return text
    for way in ways.split(","):
        text = WAYS[way](text)
    return text
