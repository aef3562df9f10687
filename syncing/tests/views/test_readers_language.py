"""Who reads Portuguese or Spanish reads what KommoSync says in that language, whoever stored it."""

from collections.abc import Iterator
from html import unescape

import pytest
from django.urls import reverse
from django.utils import translation

from accounts.kommo.errors import KommoError
from accounts.models import Account, AccountEvent
from accounts.services import events
from accounts.services.health.store import record_health
from accounts.tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
LANGUAGES = ["pt-br", "es"]
KOMMO_SAID = "Kommo's own words, as they came"


def errors(kind: type[KommoError] = KommoError) -> Iterator[type[KommoError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from errors(below)


def remedies() -> set[str]:
    """Everything that an error of Kommo may tell a person to do, places for facts left out."""
    named = {value for kind in errors() for name, value in vars(kind).items() if "remedy" in name}
    named |= {text for kind in errors() for text in getattr(kind, "remedies", {}).values()}
    return {text for text in named if isinstance(text, str) and text and "%(" not in text}


def said(text: str, language: str) -> str:
    with translation.override(language):
        return str(translation.gettext(text))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("remedy", sorted(remedies()))
def test_what_is_wrong_with_a_connection_is_read_in_the_reader_s_language(admin_client, language, remedy) -> None:
    account = AccountFactory(subdomain="north")
    with translation.override("es" if language == "pt-br" else "pt-br"):  # of the worker that stores it
        record_health(account.pk, {"code": "unpaid", "message": KOMMO_SAID, "remedy": remedy})
        reason = Account.objects.get(pk=account.pk).health_reason
        events.note(account.pk, AccountEvent.Code.RECONNECT, reason)
    assert reason == f"{KOMMO_SAID}. {remedy}"
    lists = ("syncing:accounts", "syncing:dashboard", "admin:accounts_accountevent_changelist")
    addresses = [*map(reverse, lists), reverse("syncing:account", args=[account.pk])]
    reader = {"Accept-Language": language}
    texts = [unescape(admin_client.get(address, headers=reader).content.decode()) for address in addresses]
    file = admin_client.post(reverse("syncing:export_accounts"), {"format": "0"}, headers=reader)
    for text in [*texts, file.content.decode()]:
        assert remedy not in text
        assert KOMMO_SAID in text
        assert said(remedy, language)[:60] in text
