"""Warnings before a connection ends, and once when it is over: as event, log line and one e-mail per round."""

import logging
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone, translation
from pytest_django import Settings

from accounts.models import Account, AccountEvent, TokenPair
from accounts.services.credentials.clients import store_token
from accounts.services.health.store import record_health
from accounts.services.upkeep import renewal
from accounts.services.upkeep.emails import send_warnings
from accounts.services.upkeep.expiry_warnings import ConnectionWarning, ConnectionWarnings, take_warnings
from accounts.simulator.tokens import make_jwt
from accounts.tests.factories import AccountFactory
from accounts.tests.services.conftest import Kommo

pytestmark = pytest.mark.django_db
Health = Account.Health
DAY = timedelta(days=1)


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss", "boss@branches.example", "-")


def ending(days: float, **facts: object) -> Account:
    return AccountFactory(token_expires_at=timezone.now() + timedelta(days=days), **facts)


def rounds(hours: int, step: int = 1) -> list[str]:
    """The subjects of the e-mails of so many hourly rounds from now on."""
    start = timezone.now()
    for hour in range(0, hours, step):
        with time_machine.travel(start + timedelta(hours=hour)):
            renewal.run_round()
    return [message.subject for message in mail.outbox]


# -- in time --


def test_a_token_is_told_of_at_30_7_and_1_days_and_when_it_has_expired_once_each(boss: User) -> None:
    ending(33, subdomain="north", name="North")
    assert len(rounds(36 * 24, step=6)) == 4
    texts = [message.body for message in mail.outbox]
    assert "North (north): Expires in 30 days. The token ends on " in texts[0]
    assert "Expires in 7 days" in texts[1]
    assert "Expires in 1 day." in texts[2]
    assert "North (north): Token expired." in texts[3]
    assert [event.code for event in AccountEvent.objects.all()] == [AccountEvent.Code.EXPIRES] * 4


def test_a_token_that_is_met_late_is_told_of_with_its_own_days_only(boss: User) -> None:
    ending(4.5)
    renewal.run_round()
    renewal.run_round()
    (message,) = mail.outbox
    assert "Expires in 5 days" in message.body


def test_a_new_token_is_warned_of_anew() -> None:
    account = ending(6)
    assert len(take_warnings(timezone.now()).expiring) == 1
    account.refresh_from_db()
    soon = timezone.now() + 20 * DAY
    token = make_jwt(account_id=7, user_id=1, issued_at=0, expires_at=soon.timestamp(), serial=1)
    store_token(account, token)
    account.save()
    (item,) = take_warnings(timezone.now()).expiring
    assert "Expires in 20 days" in item.text


def test_an_expired_token_turns_the_health_unless_kommo_took_it_after_that() -> None:
    expired = ending(-1, health=Health.CONNECTED, checked_at=timezone.now() - 2 * DAY)
    taken = ending(-1, health=Health.CONNECTED, checked_at=timezone.now() - DAY / 2)
    take_warnings(timezone.now())
    expired.refresh_from_db()
    taken.refresh_from_db()
    assert (expired.health, taken.health) == (Health.TOKEN_EXPIRED, Health.CONNECTED)
    assert "make a new one" in expired.health_reason


def test_what_is_lost_already_is_not_warned_of_as_expiring() -> None:
    ending(5, health=Health.TOKEN_REVOKED)
    assert take_warnings(timezone.now()).expiring == ()


def test_a_pair_that_renews_itself_is_never_warned_of_and_one_that_cannot_is(kommo: Kommo) -> None:
    fine, stuck = kommo.connect("north"), kommo.connect("south")
    Account.objects.update(token_expires_at=timezone.now() + 20 * DAY)
    failure = {"code": "unpaid", "message": "Payment required.", "remedy": "Pay."}
    TokenPair.objects.filter(pk=stuck.pk).update(failure=failure)
    (item,) = take_warnings(timezone.now()).expiring
    assert item.account == "South (south)"
    assert "Payment required. Pay." in item.text
    assert not fine.events.exists()


# -- over --


def test_a_connection_that_is_lost_is_told_once_and_again_only_after_it_was_well(boss: User) -> None:
    account = AccountFactory(subdomain="north")
    gone = {"code": "token_revoked", "message": "Revoked.", "remedy": "Make a new one."}
    for error in (gone, gone, None, gone):
        record_health(account.pk, error)
        renewal.run_round()
    assert [message.body.count("Token revoked. Revoked. Make a new one.") for message in mail.outbox] == [1, 1]
    assert account.events.count() == 2


def test_an_account_that_was_never_connected_is_no_news() -> None:
    AccountFactory(token="", health=Health.NO_TOKEN)
    assert not take_warnings(timezone.now())


def test_two_rounds_at_once_tell_a_thing_once() -> None:
    ending(5)
    seen = timezone.now()
    assert [len(take_warnings(seen)), len(take_warnings(seen))] == [1, 0]


# -- the e-mail --


def test_one_e_mail_tells_all_administrators_with_an_address_all_of_it(boss: User) -> None:
    User.objects.create_superuser("silent", "", "-")
    User.objects.create_superuser("gone", "gone@branches.example", "-", is_active=False)
    User.objects.create_user("clerk", "clerk@branches.example", "-", is_staff=True)
    for days in (0.5, 6, 25):
        ending(days)
    AccountFactory(health=Health.DISCONNECTED, health_reason="It was removed.")
    renewal.run_round()
    (message,) = mail.outbox
    assert message.to == ["boss@branches.example"]
    assert message.subject == "KommoSync: 4 connections need somebody"
    assert message.body.count("\n- ") == 4
    assert "token-of" not in message.body


def test_a_round_without_news_sends_nothing(boss: User) -> None:
    ending(300)
    renewal.run_round()
    assert mail.outbox == []


def test_an_e_mail_that_cannot_be_sent_is_logged_and_stops_nothing(
    boss: User, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    ending(5, subdomain="north")
    assert renewal.run_round() == "done"
    assert "was not sent (ConnectionRefusedError)" in caplog.text
    assert AccountEvent.objects.get().account.subdomain == "north"


def test_a_warning_is_in_the_log_as_well(caplog: pytest.LogCaptureFixture) -> None:
    ending(5, subdomain="north")
    with caplog.at_level(logging.WARNING):
        take_warnings(timezone.now())
    assert "account north: expires. The token ends on " in caplog.text


def test_names_stand_in_the_e_mail_as_they_are(boss: User) -> None:
    with translation.override("en"):
        send_warnings(ConnectionWarnings((ConnectionWarning("Bar & <Grill> (bar)", "Disconnected."),), ()))
    assert "- Bar & <Grill> (bar): Disconnected." in mail.outbox[0].body
