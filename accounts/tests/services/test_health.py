"""Checking a connection against the simulator, and what is remembered of it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.utils import timezone, translation

from accounts.kommo.errors import IpBlocked, NetworkError, NotFound, RateLimited, Unauthorised, Validation
from accounts.kommo.plain_403 import IpNotAllowed
from accounts.models import Account
from accounts.own_words import translated
from accounts.services import events
from accounts.services.credentials.token_sources import CredentialProblem
from accounts.services.health.check import check_connection, check_connections
from accounts.services.health.store import record_health
from accounts.services.identity import remember_identity
from accounts.simulator.faults import Fault
from accounts.simulator.server import serve
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
Health = Account.Health


@pytest.fixture
def kommo(settings) -> Iterator[World]:
    world = World()
    world.limits.key = "none"
    with serve(world) as server:
        settings.KOMMO_URL_TEMPLATE = server.url_template
        yield world


def test_a_first_contact_keeps_the_id_and_finds_the_account_connected(kommo) -> None:
    there = kommo.add_account("north")
    account = AccountFactory(subdomain="north", token=there.token)
    assert check_connection(account).health == Health.CONNECTED
    account.refresh_from_db()
    assert account.kommo_id == there.account_id
    assert account.health == Health.CONNECTED
    assert account.health_reason == ""
    assert account.checked_at is not None
    assert account.token_expires_at > timezone.now()


def test_a_check_costs_two_requests_and_writes_nothing(kommo) -> None:
    account = AccountFactory(subdomain="north", token=kommo.add_account("north").token)
    check_connection(account)
    assert [each.method for each in kommo.log] == ["GET", "GET"]


def test_another_id_than_the_kept_one_is_a_wrong_account_with_both_ids(kommo) -> None:
    there = kommo.add_account("north", account_id=2002)
    account = AccountFactory(subdomain="north", token=there.token, kommo_id=1001)
    report = check_connection(account)
    assert report.health == Health.WRONG_ACCOUNT
    assert "1001" in report.reason
    assert "2002" in report.reason
    account.refresh_from_db()
    assert account.kommo_id == 1001


def test_an_id_that_another_entry_has_is_refused_and_names_it(kommo) -> None:
    there = kommo.add_account("north", account_id=2002)
    AccountFactory(subdomain="old-north", kommo_id=2002)
    report = check_connection(AccountFactory(subdomain="north", token=there.token))
    assert report.health == Health.WRONG_ACCOUNT
    assert "old-north" in report.reason


def test_the_token_of_another_account_is_told_from_a_bad_token(kommo) -> None:
    kommo.add_account("north", account_id=1001)
    south = kommo.add_account("south", account_id=2002)
    report = check_connection(AccountFactory(subdomain="north", token=south.token, kommo_id=1001))
    assert report.health == Health.WRONG_ACCOUNT
    assert "2002" in report.reason


@pytest.mark.parametrize(
    ("facts", "token", "health"),
    [
        ({"paid": False}, "good", Health.UNPAID),
        ({"admin": False}, "good", Health.NOT_ADMIN),
        ({}, "expired", Health.TOKEN_EXPIRED),
        ({}, "token-of-nobody", Health.UNAUTHORISED),
        ({}, "", Health.NO_TOKEN),
    ],
)
def test_what_keeps_us_out_is_named_with_a_remedy(kommo, facts, token, health) -> None:
    there = kommo.add_account("west", **facts)
    tokens = {"good": there.token, "expired": there.issue_token(expires_in=-60)}
    account = AccountFactory(subdomain="west", token=tokens.get(token, token))
    report = check_connection(account)
    assert report.health == health
    assert report.reason
    account.refresh_from_db()
    assert (account.health, account.health_reason) == (health, report.reason)


def test_an_unknown_subdomain_is_no_such_account(kommo) -> None:
    report = check_connection(AccountFactory(subdomain="nowhere"))
    assert report.health == Health.NOT_FOUND
    assert "subdomain" in report.reason


def test_nobody_answering_is_unreachable(settings) -> None:
    settings.KOMMO_URL_TEMPLATE = "http://127.0.0.1:9/{subdomain}"
    assert check_connection(AccountFactory()).health == Health.UNREACHABLE


def test_several_accounts_are_checked_and_one_bad_one_stops_nobody(kommo) -> None:
    west = AccountFactory(subdomain="west", token=kommo.add_account("west", paid=False).token)
    north = AccountFactory(subdomain="north", token=kommo.add_account("north").token)
    reports = check_connections([west.pk, north.pk])
    assert [reports[west.pk].health, reports[north.pk].health] == [Health.UNPAID, Health.CONNECTED]


def test_a_secret_that_no_key_opens_is_told_of_its_account_and_the_others_are_checked(kommo, settings) -> None:
    south = AccountFactory(subdomain="south")
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    north = AccountFactory(subdomain="north", token=kommo.add_account("north").token)
    reports = check_connections([south.pk, north.pk])
    assert [reports[south.pk].health, reports[north.pk].health] == [Health.ERROR, Health.CONNECTED]
    stored = Account.objects.values("health", "health_reason").get(pk=south.pk)
    assert stored == {"health": Health.ERROR, "health_reason": reports[south.pk].reason}
    assert "FIELD_ENCRYPTION_KEYS" in reports[south.pk].reason


@pytest.mark.django_db(transaction=True)
def test_a_blocked_ip_stops_the_checks_and_blames_no_account_that_was_not_asked(kommo) -> None:
    accounts = [
        AccountFactory(subdomain=f"n{number}", token=kommo.add_account(f"n{number}").token) for number in range(30)
    ]
    kommo.faults.add(Fault(kind="403_plain", times=1000))
    reports = check_connections([account.pk for account in accounts])
    assert {report.health for report in reports.values()} == {Health.IP_BLOCKED}
    assert len(kommo.log) < 30
    assert Account.objects.filter(health=Health.UNKNOWN).count() == 30 - len(reports)


@pytest.mark.django_db(transaction=True)
def test_a_check_of_all_finds_who_alone_refuses_us_and_asks_everybody_else(kommo, settings) -> None:
    settings.OUTGOING_ADDRESS = ["203.0.113.7"]
    ids = {
        name: AccountFactory(subdomain=name, token=kommo.add_account(name).token).pk
        for name in ("a", "b", "c", "north", "d", "south")
    }
    for name in ("north", "south"):
        kommo.faults.add(Fault("403_plain", subdomain=name, times=None))
    reports = check_connections(list(ids.values()))
    alone = {name for name, pk in ids.items() if reports[pk].health == Health.IP_NOT_ALLOWED}
    assert alone == {"north", "south"}
    assert {reports[ids[name]].health for name in ids.keys() - alone} == {Health.CONNECTED}
    assert "whitelist" in reports[ids["north"]].reason
    assert "203.0.113.7" in reports[ids["north"]].reason


@pytest.mark.parametrize(("language", "words"), [("pt-br", "lista de permissões"), ("es", "lista de permitidos")])
@pytest.mark.parametrize("address", ["203.0.113.7", "203.0.113.7, 2001:db8::7"])
def test_the_remedy_that_names_our_address_is_read_in_the_reader_s_language(language, words, address) -> None:
    with translation.override(language):
        reason = translated(events.with_remedy("", IpNotAllowed.remedy_for(address)))
    assert words in reason
    assert reason.endswith(f"{address}.")


@pytest.mark.django_db(transaction=True)
def test_the_only_account_that_there_is_and_that_refuses_us_is_told_of_its_whitelist(kommo) -> None:
    account = AccountFactory(subdomain="north", token=kommo.add_account("north").token)
    kommo.faults.add(Fault("403_plain", subdomain="north", times=None))
    report = check_connection(account)
    assert report.health == Health.IP_NOT_ALLOWED
    assert "no other account to ask" in report.reason
    assert len(kommo.log) == 2


# -- identity --


def test_an_identity_is_kept_once_and_compared_ever_after() -> None:
    account = AccountFactory()
    assert remember_identity(account.pk, 1001)
    assert remember_identity(account.pk, 1001)
    assert not remember_identity(account.pk, 2002)
    account.refresh_from_db()
    assert account.kommo_id == 1001


def test_two_entries_never_stand_for_one_kommo_account() -> None:
    AccountFactory(kommo_id=1001)
    account = AccountFactory()
    assert not remember_identity(account.pk, 1001)
    account.refresh_from_db()
    assert account.kommo_id is None


# -- what runs learn --


@pytest.mark.parametrize(
    ("error", "health"),
    [
        (None, Health.CONNECTED),
        (Validation("refused"), Health.CONNECTED),
        (Unauthorised("bad"), Health.UNAUTHORISED),
        (Unauthorised("late", code="token_expired"), Health.TOKEN_EXPIRED),
        (NotFound("nobody", no_account=True), Health.NOT_FOUND),
        (NotFound("Pipeline not found"), Health.ERROR),
        (NetworkError("no answer in time"), Health.UNREACHABLE),
        (IpBlocked("403 Forbidden"), Health.IP_BLOCKED),
        (RateLimited("slowly"), Health.ERROR),
        ({"code": "unpaid", "message": "Payment required", "remedy": "Pay."}, Health.UNPAID),
        ({"code": "limit_reached", "message": "50 pipelines", "remedy": ""}, Health.CONNECTED),
    ],
)
def test_a_run_leaves_the_health_that_it_met(error, health) -> None:
    account = AccountFactory()
    assert record_health(account.pk, error)
    account.refresh_from_db()
    assert account.health == health
    assert bool(account.health_reason) == (health != Health.CONNECTED)


def test_a_run_of_an_account_without_a_token_says_so_as_error_and_as_document() -> None:
    problem = CredentialProblem("west")
    for error in (problem, {"code": problem.code, "message": problem.detail, "remedy": problem.remedy}):
        account = AccountFactory(token="")
        assert record_health(account.pk, error)
        account.refresh_from_db()
        assert account.health == Health.NO_TOKEN


@pytest.mark.parametrize("code", ["paused", "cancelled", "internal", "guard"])
def test_an_account_that_was_not_asked_keeps_its_health(code) -> None:
    account = AccountFactory(health=Health.UNPAID)
    assert not record_health(account.pk, {"code": code, "message": "", "remedy": ""})
    account.refresh_from_db()
    assert account.health == Health.UNPAID


def test_what_is_known_is_not_written_again_within_a_minute() -> None:
    account = AccountFactory()
    assert record_health(account.pk, None)
    assert not record_health(account.pk, None)
    Account.objects.update(checked_at=timezone.now() - timedelta(minutes=2))
    assert record_health(account.pk, None)


def test_reading_alone_does_not_prove_administrator_rights_but_writing_does() -> None:
    account = AccountFactory(health=Health.NOT_ADMIN)
    assert not record_health(account.pk, None)
    assert record_health(account.pk, None, wrote=True)
    account.refresh_from_db()
    assert account.health == Health.CONNECTED


def test_a_long_reason_is_cut_to_the_column() -> None:
    account = AccountFactory()
    record_health(account.pk, NetworkError("x" * 900))
    account.refresh_from_db()
    assert len(account.health_reason) == 500
