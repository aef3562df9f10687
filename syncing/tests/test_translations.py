"""Every text of ours in every language: present, translated, with the same placeholders."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation import ngettext

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ["pt_BR", "es"]
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
TAG = re.compile(r"""\{%\s*translate\s+"([^"]+)"(?:\s+context\s+"([^"]+)")?""")
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd]")
REMEDY = "makemessages -l pt_BR -l es --no-obsolete --no-wrap --add-location file; translate; compilemessages"


def catalogue(language: str) -> polib.POFile:
    return polib.pofile(str(ROOT / "locale" / language / "LC_MESSAGES" / "django.po"))


def texts_of_code() -> Iterator[tuple[str | None, str]]:
    for app in ("accounts", "syncing", "kommosync"):
        for path in (ROOT / app).rglob("*.py"):
            if {"tests", "migrations", "simulator"} & set(path.parts):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
                    text = node.args[0] if node.args else None
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield None, text.value


def texts_of_templates() -> Iterator[tuple[str | None, str]]:
    for path in (ROOT / "templates").rglob("*.html"):
        for text, context in TAG.findall(path.read_text(encoding="utf-8")):
            yield context or None, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_in_the_catalogue(language) -> None:
    known = {(entry.msgctxt, entry.msgid) for entry in catalogue(language)}
    missing = {*texts_of_code(), *texts_of_templates()} - known
    assert not missing, f"{REMEDY}: {sorted(text for _, text in missing)}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_untranslated_or_fuzzy(language) -> None:
    entries = catalogue(language)
    assert [entry.msgid for entry in entries.untranslated_entries()] == []
    assert [entry.msgid for entry in entries.fuzzy_entries()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_keeps_the_placeholders(language) -> None:
    for entry in catalogue(language):
        wanted = sorted(PLACEHOLDER.findall(entry.msgid))
        for text in [entry.msgstr, *entry.msgstr_plural.values()]:
            assert not text or sorted(PLACEHOLDER.findall(text)) == wanted, entry.msgid


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "words"), [("pt-br", "<h1>Visão geral</h1>"), ("es", "<h1>Resumen</h1>")])
def test_the_dashboard_speaks_the_language_of_the_browser(admin_client, language, words) -> None:
    response = admin_client.get("/", headers={"Accept-Language": language})
    assert words in response.content.decode()
    assert response["Content-Language"] == language


def test_every_language_that_is_offered_has_a_catalogue() -> None:
    offered = {code for code, _ in settings.LANGUAGES} - {"en"}
    assert offered == {language.lower().replace("_", "-") for language in LANGUAGES}


@pytest.mark.parametrize(
    ("language", "others"),
    [
        ("pt_BR", r"\b(Guardar|Papéis|Pesquisar|lista branca|lista de permitidos|workers)\b|\b[Aa] Kommo\b"),
        ("es", r"\b(lista blanca|lista de permitidas|[Aa]gregar|solicitud(es)?|workers|congelamiento)\b"),
    ],
)
def test_one_thing_has_one_word(language, others) -> None:
    texts = (text for entry in catalogue(language) for text in (entry.msgstr, *entry.msgstr_plural.values()))
    texts = (re.sub("«.*?»", "", text) for text in texts)  # what others call something
    assert [text for text in texts if re.search(others, text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_two_filters_of_runs_are_called_differently(language) -> None:
    texts = {entry.msgid: entry.msgstr for entry in catalogue(language)}
    assert texts["All kinds"] != texts["All types"]


@pytest.mark.parametrize(("number", "text"), [(0, "0 pessoas"), (1, "1 pessoa"), (2, "2 pessoas")])
def test_nobody_is_many_people(number, text) -> None:
    with translation.override("pt-br"):
        assert ngettext("%(n)s person", "%(n)s people", number) % {"n": number} == text
