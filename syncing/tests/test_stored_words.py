"""Sentences that are stored are marked for translation where they are made, and said again wherever they are read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from accounts.own_words import PLACE, translated
from syncing.tests.journeys import ENGLISH, is_english

ROOT = Path(__file__).resolve().parents[2]
# Where what is stored is made: by workers, for readers whose language nobody knows yet.
ROOMS = (
    "accounts/kommo", "accounts/services/health", "accounts/services/credentials", "syncing/engine", "syncing/adapters",
    "syncing/replication", "syncing/execution", "syncing/leases", "syncing/records", "syncing/services/runs",
)  # fmt: skip
MARKS = {"_", "gettext", "gettext_noop", "ngettext"}
# For developers and logs, which are English.
NOT_STORED = {
    "ReadOnly",
    "ValueError",
    "TypeError",
    "RuntimeError",
    "Doubt",
    "raise_doubt",
    "survived",
    "doubt_about",
    "__repr__",
}
SENTENCE = re.compile(r"\w+ \w+ \w+")
OF_A_LOG = re.compile(r"%[sd]")


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


def is_spared(node: ast.AST) -> bool:
    """Tells whether the strings in it are marked, or for nobody to read on a page."""
    if isinstance(node, ast.Call):
        return name_of(node) in MARKS | NOT_STORED or name_of(node).startswith("logger.")
    return isinstance(node, ast.FunctionDef) and node.name in NOT_STORED


def strings(node: ast.AST) -> Iterator[str]:
    """Yields the strings of a tree that are not spared; docstrings are no expressions of their own."""
    for child in ast.iter_child_nodes(node):
        if is_spared(child) or (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
            continue
        if isinstance(child, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in child.values)
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value
        else:
            yield from strings(child)


def marked() -> set[str]:
    calls = (node for _path, tree in sources() for node in ast.walk(tree) if isinstance(node, ast.Call))
    texts = (call.args[0] for call in calls if name_of(call) == "gettext_noop")
    return {text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)}


def test_no_sentence_is_stored_that_nobody_can_translate() -> None:
    found = {(str(path), text) for path, tree in sources() for text in strings(tree)}
    unmarked = {(path, text) for path, text in found if ENGLISH.search(text) and SENTENCE.search(text)}
    unmarked = {(path, text) for path, text in unmarked if not OF_A_LOG.search(text)}
    assert not unmarked, "mark them with gettext_noop, their facts as %(places)s"


def test_nothing_is_stored_in_the_language_of_a_worker() -> None:
    used = {
        (str(path), name_of(node)) for path, tree in sources() for node in ast.walk(tree) if isinstance(node, ast.Call)
    }
    translators = {(path, name) for path, name in used if name in MARKS - {"gettext_noop"}}
    refusals = {path for path, _name in translators if path.startswith("syncing/services/runs/")}  # for who asks
    assert {path for path, _name in translators} <= refusals


@pytest.mark.parametrize("language", ["pt-br", "es"])
def test_every_stored_sentence_is_read_in_the_reader_s_language(language) -> None:
    sentences = marked()
    assert len(sentences) > 200
    for sentence in sentences:
        facts = {name: 7 if kind == "d" else "x1" for name, kind in PLACE.findall(sentence) if name}
        stored = sentence % facts if facts else sentence
        with translation.override(language):
            read = translated(stored)
        expected = translation_of(sentence, language)
        assert read == (expected % facts if facts else expected)
        assert not is_english(read, language.replace("pt-br", "pt-BR")), sentence


def translation_of(text: str, language: str) -> str:
    with translation.override(language):
        return str(translation.gettext(text))
