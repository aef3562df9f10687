"""Says stored sentences of ours in the reader's language.

Whatever is stored is English, with its facts filled in: it is read later, by people of several languages and by
programs. Here a stored text is compared with the sentences of the catalogue, and each that is found in it is said in
the active language. What Kommo said, and what people wrote, stays as it came.
"""

import gettext as catalogues
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

from django.utils.translation import get_language, to_locale

from accounts import conf

SOURCE = "en"  # the language that is stored
# Facts that are words of ours themselves; all other facts are names, numbers, or the words of somebody else.
WORDS = frozenset({"why", "what", "which", "done", "last", "doubt", "place"})
PLACE = re.compile(r"%\((\w+)\)([sdr])|%%")
BREAK = re.compile(r"(?<=[.!?:;]) |(?<=: \d{3}) ")  # between sentences, and after the status of an answer
MOST_PIECES = 40
LEAST_LITERAL = 6  # characters of ours in a sentence with facts: less would be found anywhere
SPACES = 2  # in a sentence without facts that is a part of a text: a word or two may be anybody's
INDEXED = 4  # characters that a sentence begins with, to find it by
END = ".;:"


@dataclass(frozen=True)
class Sentence:
    """A sentence of the catalogue with places for facts, and what it is in another language."""

    source: str
    translation: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Looks for each fact once, from the left, and never again: no text takes long, whoever wrote it."""
        seen: set[str] = set()
        segments = [""]
        for literal, place in _parts(self.source):
            if place is not None and place[2] != "d":
                segments.append("")
            segments[-1] += re.escape(literal) if place is None else _any(place, seen)
        *before, last = segments
        return re.compile("".join(f"(?>{segment})" for segment in before) + last, re.DOTALL)

    @cached_property
    def literals(self) -> tuple[str, ...]:
        return tuple(text for text, place in _parts(self.source) if place is None and text)

    @cached_property
    def longest_literal(self) -> str:
        return max(self.literals, key=len)

    @cached_property
    def weight(self) -> int:
        return sum(len(text) for text in self.literals)

    def in_translation(self, text: str) -> str | None:
        """Returns `text` in the other language; None if it is not this sentence."""
        match = self.pattern.fullmatch(text)
        if match is None:
            return None
        facts = in_readers_words(match.groupdict())
        return PLACE.sub(lambda place: facts[place[1]] if place[1] else "%", self.translation)


@dataclass(frozen=True)
class Catalogue:
    """The sentences of one language: those without facts, and those with, by their first characters ("": a fact)."""

    fixed: Mapping[str, str]
    open: Mapping[str, tuple[Sentence, ...]]

    def find(self, text: str, *, is_whole: bool) -> tuple[int, str]:
        """Returns how many characters of `text` are ours, and `text` in this language; (0, text) if it is not ours."""
        if text in self.fixed and (is_whole or text.count(" ") >= SPACES):
            return len(text), self.fixed[text]
        best = 0, text
        for sentence in (*self.open.get(text[:INDEXED], ()), *self.open.get("", ())):
            if sentence.weight <= best[0] or sentence.longest_literal not in text:
                continue
            if (found := sentence.in_translation(text)) is not None:
                best = sentence.weight, found
        if not best[0] and text[-1:] in END and text[:-1].rstrip(END):
            ours, found = self.find(text[:-1], is_whole=is_whole)
            return (ours, found + text[-1]) if ours else best
        return best


def translated(text: str) -> str:
    """Returns a stored English text in the active language, as far as its words are ours."""
    language = get_language()
    return _translated(str(text), language) if text and language else str(text or "")


def in_readers_words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the facts of a sentence, those that are words of ours in the active language."""
    return {name: translated(fact) if name in WORDS else fact for name, fact in facts.items()}


@lru_cache(maxsize=4096)
def _translated(text: str, language: str) -> str:
    catalogue = _catalogue(language)
    if catalogue is None:
        return text
    pieces = BREAK.split(text, MOST_PIECES)
    # The best way to cut the first n pieces into sentences: (characters of ours, the text in the other language).
    best: list[tuple[int, str]] = [(0, "")]
    for end in range(1, len(pieces) + 1):
        ways = []
        for start in range(end):
            ours, found = catalogue.find(" ".join(pieces[start:end]), is_whole=end - start == len(pieces))
            if ours or start == end - 1:
                known, before = best[start]
                ways.append((known + ours, f"{before} {found}" if start else found))
        best.append(max(reversed(ways), key=lambda way: way[0]))  # of equals the last: it takes the least for facts
    return best[-1][1]


@cache
def _catalogue(language: str) -> Catalogue | None:
    """Returns None for the language that is stored, and for others without a catalogue."""
    try:
        stored = catalogues.translation("django", conf.catalogues(), [to_locale(language)])
    except FileNotFoundError:
        return None
    fixed: dict[str, str] = {}
    open_: defaultdict[str, list[Sentence]] = defaultdict(list)
    for source, translation in stored._catalog.items():  # type: ignore[attr-defined]  # no other way lists them
        if not isinstance(source, str) or not translation or "\x04" in source:  # plurals, and texts with a context
            continue
        sentence = Sentence(source, translation)
        if not PLACE.search(source):
            fixed[source] = translation
        elif sentence.weight >= LEAST_LITERAL:
            begin = source[: PLACE.search(source).start()]  # type: ignore[union-attr]
            open_[begin[:INDEXED] if len(begin) >= INDEXED else ""].append(sentence)
    return Catalogue(fixed, {key: tuple(sentences) for key, sentences in open_.items()})


def _parts(source: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Yields the characters of ours and the places for facts, in order."""
    at = 0
    for place in PLACE.finditer(source):
        yield source[at : place.start()] + ("" if place[1] else "%"), None
        if place[1]:
            yield "", place
        at = place.end()
    yield source[at:], None


def _any(place: re.Match[str], seen: set[str]) -> str:
    """Returns the pattern of a fact: a number, some text, or the same again."""
    name = place[1]
    if name in seen:
        return f"(?P={name})"
    seen.add(name)
    return f"(?P<{name}>{'-?[0-9]+' if place[2] == 'd' else '.*?'})"
