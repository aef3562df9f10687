"""How texts are searched: whatever the case, and with or without accents, alike in SQLite, PostgreSQL and Python.

A text becomes a regular expression that names every spelling of its letters, so nothing has to be stored for it.
"""

import re
import unicodedata
from collections import defaultdict
from functools import lru_cache

from django.db.models import CharField, Q, TextField
from django.db.models.lookups import Regex

ALPHABETS = (range(0x80, 0x530), range(0x1E00, 0x2000))  # Latin, Greek, Cyrillic
LONGEST = 200  # characters that are looked for; databases refuse patterns that are very much longer
MARKS = "[\u0300-\u036f]*"  # accents that are stored as characters of their own


def plain(text: str) -> str:
    """Returns a text in small letters without accents."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _all_spellings() -> dict[str, str]:
    spellings: defaultdict[str, str] = defaultdict(str)
    for code in (number for alphabet in ALPHABETS for number in alphabet):
        letter = plain(chr(code))
        if len(letter) == 1 and letter != chr(code) and letter.isalpha():
            spellings[letter] += chr(code)
    return spellings


SPELLINGS = _all_spellings()


@lru_cache(maxsize=100)
def pattern_of(text: str) -> str:
    """Returns the regular expression of a text, or of its first LONGEST characters, for `re` and for PostgreSQL."""
    return "".join(_spelled(character) + MARKS for character in plain(text[:LONGEST]))


def _spelled(character: str) -> str:
    if not character.isalpha():
        return re.escape(character)
    return f"[{character}{character.upper()[:1]}{SPELLINGS.get(character, '')}]"


def is_in(text: str, *places: str) -> bool:
    """Tells whether one of several texts has `text` in it."""
    has = re.compile(pattern_of(text)).search
    return any(has(each) for each in places)


def any_finds(text: str, *columns: str) -> Q:
    """Returns the condition that one of the columns has `text` in it."""
    found = Q()
    for column in columns:
        found |= Q(**{f"{column}__finds": text})
    return found


class Finds(Regex):
    """The lookup `finds`: a column has this text in it."""

    def get_prep_lookup(self) -> str:
        return pattern_of(str(self.rhs))


for _field in (CharField, TextField):
    _field.register_lookup(Finds, "finds")
