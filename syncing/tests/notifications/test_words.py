"""Messages as their readers see them: their form, their language, and that texts of others do nothing in them."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import override_settings
from django.urls import resolve
from django.utils import timezone, translation

from accounts.models import Integration, SyncGroup
from accounts.tests.factories import AccountFactory
from syncing.automation.alarms import NEEDS_PERSON
from syncing.models import Channel, Event, Message
from syncing.notifications import state_words, wording
from syncing.notifications.harmless import harmless
from syncing.notifications.speech import LINES, bare_moment, moment
from syncing.services.keys import make_webhook_token
from syncing.tests.notifications.happenings import happen
from syncing.tests.notifications.telling import listen, told, whole

pytestmark = pytest.mark.django_db
URL = "https://sync.example.com"
LANGUAGES = ("en", "pt-br", "es")
JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiI3N2UzIiwianRpIjoi.Zm9vYmFyYmF6cXV4"
REFRESH = "def50200" + "a1b2c3d4" * 20
URLSAFE = "Zr9_kQ2x-T7vLm4Wc8Yb1Nd6Hf3Js5Pg0Aq-Xe9Ru2"
NASTY = (
    "<img src=x onerror=alert(1)>\r\nBcc: a@b.c\u202e @everyone <!channel> <@U123> [a](http://evil.example) *b* _c_ `d`"
)


def tell(event: str, foreign: str = "North", *, kind: str = "json", language: str = "en", secret: str = "") -> Message:
    listen("ops", kind=kind, events=[event], language=language)
    happen(event, foreign, secret=secret)
    (message,) = told()
    return message


@pytest.mark.parametrize("event", Event.values)
@pytest.mark.parametrize("kind", ["json", "email"])
@pytest.mark.parametrize("url", ["", URL])
def test_a_message_has_a_short_title_at_most_five_lines_and_where_to_look(event: str, kind: str, url: str) -> None:
    with override_settings(PUBLIC_URL=url):
        message = tell(event, "A very long name of a branch " * 8, kind=kind)
    lines = message.text.splitlines()

    assert 0 < len(message.title) <= 200
    assert 1 <= len(lines) <= LINES + 1
    assert lines[-1].startswith(f"{URL}/" if url else "More: ")
    assert max(map(len, lines)) <= 500
    assert bool(message.html) == (kind == "email")
    if url and kind == "email":
        assert f'href="{lines[-1]}"' in message.html


@pytest.mark.parametrize("event", Event.values)
def test_the_link_leads_to_a_page_that_is_there(event: str, admin_client: Any) -> None:
    with override_settings(PUBLIC_URL=URL):
        link = tell(event).text.splitlines()[-1]
    path = link.removeprefix(URL)
    assert resolve(path.partition("?")[0])
    assert admin_client.get(path).status_code == 200


@pytest.mark.parametrize("event", Event.values)
@pytest.mark.parametrize("kind", ["json", "email"])
def test_names_of_others_are_text_and_nothing_else(event: str, kind: str) -> None:
    message = tell(event, NASTY, kind=kind)

    for text in (message.title, *message.text.splitlines()):
        assert not re.search(r"[\r\n\u202e\x00]", text)
    assert "evil.example" not in whole(message)
    assert "<img" not in message.html
    if kind == "json":
        assert not re.search(r"@everyone|<!channel>|<@U123>|\[a\]|\*b\*|\b_c_\b|<img", message.title + message.text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Filial São Paulo & Co.", "Filial São Paulo & Co."),
        ("a\nb\t\x00c", "a b c"),
        ("\u202eevil\u2066 \ufeffx\u200b", "evil x"),
        ("👩‍💻 Loja 🇧🇷", "👩‍💻 Loja 🇧🇷"),
        ("@here @channel", "＠here ＠channel"),
        ("<@U1|x> *bold* _it_ ~no~ `code` [a](b) # head", "‹＠U1¦x› ∗bold∗ ＿it＿ ∼no∼ ˋcodeˋ ［a］(b) ＃ head"),
        ("lead_source_2", "lead_source_2"),
        ("مرحبا", "مرحبا"),
        ("see https://evil.example/x now", "see ∗∗∗ now"),
        ("x" * 70, "x" * 59 + "…"),
        ("token " + JWT, "token ∗∗∗"),
        ("Bearer abc123def456", "Bearer ∗∗∗"),
        (REFRESH, "∗∗∗"),
        (URLSAFE, "∗∗∗"),
        ("", ""),
        ("\u202e\u200b", "?"),
    ],
)
def test_a_text_of_others_in_a_chat(text: str, expected: str) -> None:
    assert harmless(text, in_chat=True) == expected


def test_in_an_e_mail_a_name_stays_as_it_is() -> None:
    assert harmless("Loja *1* @centro", in_chat=False) == "Loja *1* @centro"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("event", Event.values)
def test_no_secret_is_in_any_message_in_any_language(event: str, language: str) -> None:
    integration = Integration.objects.create(name="KommoSync", client_id="id", client_secret=URLSAFE + "1")
    AccountFactory(subdomain="other", token=JWT + "2", integration=integration)
    address = f"json://user:{URLSAFE}4@hooks.example.com/{REFRESH}5?token={URLSAFE}6"
    secrets = [JWT, REFRESH, URLSAFE, "user:", "hooks.example.com"]
    for kind in ("json", "email"):
        Channel.objects.create(name=kind, kind=kind, address=address, events=[event], language=language)
    group = happen(event, f"N {JWT}", secret=f"Bearer {URLSAFE} {REFRESH} {address}")
    secrets.append(make_webhook_token(group))

    messages = told()

    assert len(messages) == 2
    found = [secret for secret in secrets for message in messages if secret in whole(message)]
    assert found == []


def test_a_message_is_in_the_language_of_its_channel_and_the_time_zone_of_its_group() -> None:
    with time_machine.travel(datetime(2026, 12, 24, 2, 30, tzinfo=UTC), tick=False), translation.override("es"):
        for language in LANGUAGES:
            listen(language, events=[Event.WAVE_WAITS], language=language)
        SyncGroup.objects.all().delete()
        group = happen(Event.WAVE_WAITS, "North")
        SyncGroup.objects.filter(pk=group.pk).update(time_zone="America/Sao_Paulo")
        texts = [message.text for message in told()]
    assert "23 Dec 2026, 23:30" in texts[0]
    assert ["23 dez 2026, 23:30" in texts[1], "23 dic 2026, 23:30" in texts[2]] == [True] * 2


def test_states_are_said_in_the_language_of_the_channel() -> None:
    message = tell(Event.RUN_FAILED, language="pt-br")
    with translation.override("pt-br"):
        assert f"{translation.gettext('Failed')}: 5" in message.text
    assert "Failed" not in message.text


def test_every_event_has_words() -> None:
    assert wording.WORDS.keys() | {Event.WEEKLY_REPORT} == set(Event)


def test_every_trouble_that_needs_a_person_has_a_remedy() -> None:
    assert set(NEEDS_PERSON) == set(state_words.REMEDIES)


def test_large_numbers_are_grouped_as_the_language_does() -> None:
    with translation.override("pt-br"):
        assert wording.number(1019) == "1.019"


def test_a_time_in_a_message_names_its_zone() -> None:
    time = datetime(2026, 12, 1, 15, tzinfo=UTC)
    with timezone.override("America/Sao_Paulo"):
        assert moment(time) == "1 Dec 2026, 12:00 (America/Sao_Paulo)"
        assert bare_moment(time) == "1 Dec 2026, 12:00"
