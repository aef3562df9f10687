"""Stored sentences of ours are read in the reader's language; other people's words stay as they came."""

import gettext as catalogues

import pytest
from django.utils import translation

from accounts import conf, own_words
from accounts.kommo.errors import KommoError, Unauthorised
from accounts.kommo.plain_403 import IpNotAllowed
from accounts.own_words import PLACE, translated
from accounts.services.events import NEW_SUBDOMAIN, with_remedy

REMEDY = Unauthorised.remedies["token_expired"]


def read(text: str, language: str = "pt-br") -> str:
    with translation.override(language):
        return translated(text)


def said(text: str, language: str = "pt-br") -> str:
    with translation.override(language):
        return translation.gettext(text)


@pytest.mark.parametrize("language", ["pt-br", "es"])
@pytest.mark.parametrize("facts", [{"new": "north", "old": "south"}, {"new": "a. b: c", "old": "The token; it was"}])
def test_a_sentence_is_found_again_with_its_facts(language, facts) -> None:
    stored = NEW_SUBDOMAIN % facts
    assert read(stored, language) == said(NEW_SUBDOMAIN, language) % facts != stored


@pytest.mark.parametrize(
    "message", ["Bad request", 'El valor de "name" no es válido', "404: Not here. Ask; or do not", "100% %(name)s"]
)
def test_what_kommo_said_stays_as_it_came_beside_our_remedy(message) -> None:
    assert read(with_remedy(message, REMEDY)) == f"{message}. {said(REMEDY)}"
    assert read(message) == message


def test_several_sentences_of_ours_are_all_said_anew() -> None:
    named = IpNotAllowed.remedy_for("203.0.113.7, 2001:db8::7")
    stored = " ".join([REMEDY, named, KommoError.remedy])
    in_portuguese = said(IpNotAllowed.named_remedy) % {"address": "203.0.113.7, 2001:db8::7"}
    assert read(stored) == f"{said(REMEDY)} {in_portuguese} {said(KommoError.remedy)}"


def test_a_text_that_was_cut_short_is_said_as_far_as_it_goes() -> None:
    assert read(f"{REMEDY} {KommoError.remedy[:20]}…") == f"{said(REMEDY)} {KommoError.remedy[:20]}…"


@pytest.mark.parametrize("language", ["en", "en-gb", "fr"])
def test_who_reads_english_or_has_no_catalogue_reads_what_is_stored(language) -> None:
    assert read(REMEDY, language) == REMEDY


def test_our_words_are_found_behind_the_request_and_the_status_of_its_answer() -> None:
    request = "north: GET /leads/pipelines: 403"
    assert read(f"{request} {REMEDY}") == f"{request} {said(REMEDY)}"


def test_a_fact_at_the_beginning_takes_no_more_than_it_has_to() -> None:
    sentence, facts = "%(announced)s pages were announced, %(count)s came", {"announced": 5, "count": 2}
    request = "north: GET /leads/pipelines:"
    assert read(f"{request} {sentence % facts}.") == f"{request} {said(sentence) % facts}."


def test_no_text_stays_no_text() -> None:
    assert read("") == ""


def test_a_word_in_a_text_of_somebody_else_is_left_alone() -> None:
    assert said("Account") != "Account"
    assert read("Lead; Account; Deal") == "Lead; Account; Deal"


def test_a_long_answer_of_kommo_costs_little() -> None:
    page = "Error; " * 2000
    assert read(page) == page


@pytest.mark.parametrize("language", ["pt_BR", "es"])
def test_a_fact_is_never_taken_for_a_place_of_another(language) -> None:
    """Every sentence of the catalogue, with facts that look like places, is said as the catalogue would say it."""
    catalogue = catalogues.translation("django", conf.catalogues(), [language])._catalog
    sentences = [text for text in catalogue if isinstance(text, str) and "%(" in text and text.endswith(".")]
    for sentence in sentences:
        facts = {name: 7 if kind == "d" else f"«%({name})s»" for name, kind in PLACE.findall(sentence) if name}
        with translation.override(language.lower().replace("_", "-")):
            assert translated(sentence % facts) in (translation.gettext(sentence) % facts, sentence % facts)


@pytest.mark.timeout(60)
def test_no_text_keeps_its_reader_waiting_whoever_wrote_it() -> None:
    """A text that nearly is a sentence with seven facts, over and over: to try every way to cut it takes for ever."""
    catalogue = own_words._catalogue("pt-br")
    assert catalogue is not None
    for sentence in (each for sentences in catalogue.open.values() for each in sentences):
        nearly = "".join(sentence.literals)
        said_anew = sentence.in_translation(nearly * (20_000 // len(nearly)) + "\x01")
        assert said_anew is None or sentence.source.endswith((")s", ")r"))
