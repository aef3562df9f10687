"""The health of accounts that are connected by OAuth: what a check finds, and what a run leaves."""

import pytest
from django.utils import timezone

from accounts.kommo.errors import GrantRefused, ServerError, Unauthorised
from accounts.models import Account, AccountEvent, TokenPair
from accounts.services.credentials import token_pairs
from accounts.services.health.check import check_connection
from accounts.services.health.probe import Probe, probe
from accounts.services.health.store import conclude, record_health
from accounts.tests.factories import AccountFactory
from accounts.tests.services.conftest import Kommo

Health = Account.Health


def fresh(account: Account) -> Account:
    return Account.objects.get(pk=account.pk)


def test_a_check_finds_a_pair_connected_and_leaves_its_expiry_alone(kommo: Kommo) -> None:
    account = kommo.connect("north")
    report = check_connection(account)
    assert report.health == Health.CONNECTED
    assert report.token_expires_at == account.token_expires_at == fresh(account).token_expires_at
    assert kommo.refreshes == 0


def test_an_account_that_was_never_connected_has_no_token_and_is_to_be_connected(kommo: Kommo) -> None:
    kommo.world.add_account("north")
    account = AccountFactory(subdomain="north", token="", credential_kind="oauth")
    report = check_connection(account)
    assert report.health == Health.NO_TOKEN
    assert "Connect" in report.reason
    assert "long-lived" not in report.reason
    assert len(kommo.world.log) == 0


def test_a_refused_grant_means_that_it_is_to_be_connected_again(kommo: Kommo) -> None:
    account = kommo.connect("north")
    kommo.world.accounts["north"].grants.revoke(kommo.sim.client_id)
    report = check_connection(account)
    assert report.health == fresh(account).health == Health.RECONNECT
    assert "Connect the account again" in report.reason
    assert AccountEvent.objects.get().code == AccountEvent.Code.RECONNECT


def test_a_pair_that_has_ended_is_not_asked_with_again(kommo: Kommo) -> None:
    account = kommo.connect("north")
    kommo.world.accounts["north"].grants.revoke(kommo.sim.client_id)
    check_connection(account)
    asked = len(kommo.world.log)
    assert check_connection(fresh(account)).health == Health.RECONNECT
    assert len(kommo.world.log) == asked


@pytest.mark.parametrize("code", ["unauthorised", "token_expired", "token_revoked"])
@pytest.mark.parametrize("as_document", [True, False])
def test_a_run_that_was_refused_leaves_reconnect_needed_whatever_the_public_code(
    kommo: Kommo, code: str, as_document: bool
) -> None:
    account = kommo.connect("north")
    TokenPair.objects.update(ended_at=timezone.now(), failure={"code": code, "message": "gone", "remedy": "Connect."})
    error = GrantRefused("gone", code=code)
    document = {"code": code, "message": "gone", "remedy": error.remedy}
    assert record_health(account.pk, document if as_document else error)
    assert (fresh(account).health, fresh(account).health_reason) == (Health.RECONNECT, "gone. Connect.")


def test_a_refused_access_token_of_a_good_pair_is_told_without_the_words_for_long_lived_tokens(kommo: Kommo) -> None:
    account = kommo.connect("north")
    record_health(account.pk, Unauthorised("bad", code="token_revoked"))
    assert fresh(account).health == Health.RECONNECT
    assert "make a new one" not in fresh(account).health_reason


def test_a_failed_refresh_that_may_succeed_later_is_no_reconnect(kommo: Kommo) -> None:
    account = kommo.connect("north")
    record_health(account.pk, ServerError("down"))
    assert fresh(account).health == Health.ERROR


# -- uninstalled --


def uninstalled(account: Account) -> Account:
    token_pairs.forget(account.pk)
    Account.objects.filter(pk=account.pk).update(health=Health.DISCONNECTED, health_reason="It was removed.")
    return fresh(account)


def test_a_disconnected_account_stays_so_whatever_checks_and_runs_find(kommo: Kommo) -> None:
    account = uninstalled(kommo.connect("north"))
    assert check_connection(account).health == Health.DISCONNECTED
    for error in (None, Unauthorised("no token"), ServerError("down"), {"code": "unpaid", "message": "", "remedy": ""}):
        record_health(account.pk, error, wrote=True)
    assert (fresh(account).health, fresh(account).health_reason) == (Health.DISCONNECTED, "It was removed.")


def test_an_account_that_is_uninstalled_while_it_is_checked_is_not_found_connected(kommo: Kommo) -> None:
    account = kommo.connect("north")
    found = probe(account)
    uninstalled(account)
    conclude(account, found)
    assert fresh(account).health == Health.DISCONNECTED


def test_a_disconnected_account_that_is_connected_again_is_found_connected(kommo: Kommo) -> None:
    account = uninstalled(kommo.connect("north"))
    pair = kommo.world.accounts["north"].grants.issue(kommo.sim.client_id)
    token_pairs.store(account, kommo.integration, token_pairs.Tokens(pair.access, pair.refresh, 86400.0))
    assert check_connection(fresh(account)).health == Health.CONNECTED


@pytest.mark.django_db
def test_a_disconnected_account_with_a_long_lived_token_is_believed_when_it_answers() -> None:
    account = AccountFactory(health=Health.DISCONNECTED, health_reason="It was removed.")
    record_health(account.pk, Unauthorised("bad"))
    assert (fresh(account).health, fresh(account).health_reason) == (Health.DISCONNECTED, "It was removed.")
    record_health(account.pk, None)
    assert fresh(account).health == Health.CONNECTED


# -- what changed meanwhile --


@pytest.mark.django_db
def test_an_answer_to_the_old_token_says_nothing_about_the_new_one() -> None:
    account = AccountFactory(subdomain="north", kommo_id=7)
    Account.objects.update(token="token-of-day", token_expires_at=None)
    conclude(account, Probe(error=Unauthorised("late", code="token_expired")))
    assert fresh(account).health == Health.UNKNOWN


def test_a_renamed_account_is_found_again_and_is_no_stranger(kommo: Kommo) -> None:
    account = kommo.connect("north")
    kommo.world.rename_account("north", "northern")
    report = check_connection(account)
    assert report.health == Health.CONNECTED
    assert fresh(account).subdomain == "northern"
    assert AccountEvent.objects.get().code == AccountEvent.Code.RENAMED


def test_a_renamed_account_that_was_never_met_is_found_by_the_id_in_its_token(kommo: Kommo) -> None:
    account = kommo.connect("north")
    Account.objects.update(kommo_id=None)
    kommo.world.rename_account("north", "northern")
    assert check_connection(fresh(account)).health == Health.CONNECTED
    assert fresh(account).kommo_id == kommo.world.accounts["northern"].account_id


def test_a_long_lived_token_finds_its_renamed_account_too(kommo: Kommo) -> None:
    there = kommo.world.add_account("west")
    account = AccountFactory(subdomain="west", token=there.token, kommo_id=there.account_id)
    kommo.world.rename_account("west", "western")
    assert check_connection(account).health == Health.CONNECTED
    assert fresh(account).subdomain == "western"
