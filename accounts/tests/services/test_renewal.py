"""Keep-alive: pairs are renewed before they end and used every week; one that fails stops nobody."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from django_q.models import OrmQ

from accounts.models import Account, AccountEvent, ConnectAttempt, TokenPair
from accounts.services.credentials import token_pairs
from accounts.services.upkeep import renewal
from accounts.services.upkeep.renewal import SLICE
from accounts.simulator.faults import Fault
from accounts.tests.factories import AccountFactory
from accounts.tests.services.conftest import Kommo

Health = Account.Health
HOURS = {hours: timedelta(hours=hours) for hours in (1, 19, 24, 30)}


def generation(account: Account) -> int:
    return TokenPair.objects.get(pk=account.pk).generation


def works(kommo: Kommo, account: Account) -> bool:
    """Kommo takes the stored access token."""
    pair = TokenPair.objects.get(pk=account.pk)
    return kommo.world.accounts[account.subdomain].accepts(pair.access_token)


@pytest.mark.parametrize(
    ("age", "renewed"),
    [(HOURS[1], False), (HOURS[19], True), (HOURS[24], True), (HOURS[30], True), (timedelta(days=30), True)],
)
def test_a_pair_is_renewed_once_when_its_access_token_has_less_than_six_hours_left(kommo, age, renewed) -> None:
    account = kommo.connect("north", age=age)
    started = timezone.now()
    assert renewal.run_round() == "done"
    assert (generation(account), kommo.refreshes) == (1 + renewed, int(renewed))
    assert works(kommo, account)
    assert timezone.now() - started < timedelta(seconds=5)
    if renewed:
        account.refresh_from_db()
        assert account.token_expires_at > started + timedelta(days=89)


def test_a_refresh_token_that_lay_for_six_days_is_used_though_its_access_token_lives(kommo: Kommo) -> None:
    account = kommo.connect("north")
    TokenPair.objects.update(obtained_at=timezone.now() - timedelta(days=6, hours=1))
    renewal.run_round()
    assert generation(account) == 2


@pytest.mark.parametrize("health", [Health.NO_TOKEN, Health.RECONNECT, Health.DISCONNECTED])
def test_a_refresh_token_from_a_file_is_turned_into_a_pair_and_the_account_is_lost_no_more(kommo, health) -> None:
    account = kommo.connect("north")
    Account.objects.update(health=health, health_reason="Connect it.")
    pair = kommo.world.accounts["north"].grants.issue(kommo.sim.client_id)
    token_pairs.store_refresh_token(account, kommo.integration, pair.refresh)
    renewal.run_round()
    assert works(kommo, account)
    account.refresh_from_db()
    assert (account.health, account.health_reason) == (Health.UNKNOWN, "")


def test_a_second_round_at_once_renews_nothing_again(kommo: Kommo) -> None:
    account = kommo.connect("north", age=HOURS[24])
    renewal.run_round()
    renewal.run_round()
    assert not renewal.renew([account.pk])
    assert kommo.refreshes == 1


def test_paused_accounts_are_kept_alive_too(kommo: Kommo) -> None:
    account = kommo.connect("north", age=HOURS[24])
    Account.objects.update(paused=True)
    renewal.run_round()
    assert generation(account) == 2


def test_what_is_over_is_left_alone(kommo: Kommo) -> None:
    for name in ("north", "south", "west"):
        kommo.connect(name, age=HOURS[24])
    TokenPair.objects.filter(account__subdomain="north").update(ended_at=timezone.now(), failure={})
    token_pairs.forget(Account.objects.get(subdomain="south").pk)
    Account.objects.filter(subdomain="west").update(credential_kind="long_lived", token="token-of-west")
    AccountFactory(subdomain="east")
    assert list(renewal.due(timezone.now())) == []
    renewal.run_round()
    assert len(kommo.world.log) == 0


def test_one_that_is_refused_needs_reconnecting_and_stops_nobody(kommo: Kommo) -> None:
    north, south = kommo.connect("north", age=HOURS[24]), kommo.connect("south", age=HOURS[24])
    kommo.world.accounts["north"].grants.revoke(kommo.sim.client_id)
    renewal.run_round()
    north.refresh_from_db()
    assert north.health == Health.RECONNECT
    assert AccountEvent.objects.filter(account=north).first().code == AccountEvent.Code.RECONNECT
    assert generation(south) == 2
    asked = kommo.refreshes
    renewal.run_round()
    assert kommo.refreshes == asked


@pytest.mark.parametrize("kind", ["500", "reset", "429"])
def test_a_passing_failure_keeps_the_pair_for_the_next_round(kommo: Kommo, kind: str, caplog) -> None:
    account = kommo.connect("north", age=HOURS[19])
    old = TokenPair.objects.get().access_token
    kommo.world.faults.add(Fault(kind=kind, times=1000))
    renewal.run_round()
    assert TokenPair.objects.get().access_token == old
    assert TokenPair.objects.get().ended_at is None
    assert "its tokens were not renewed" in caplog.text
    assert old not in caplog.text
    kommo.world.faults.clear()
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=True):
        renewal.run_round()
    assert generation(account) == 2


def test_a_blocked_ip_stops_the_round(kommo: Kommo) -> None:
    for number in range(SLICE + 5):
        kommo.connect(f"n{number:02}", age=HOURS[24])
    kommo.world.faults.add(Fault(kind="403_plain", times=1000))
    assert renewal.run_round() == "blocked"
    assert OrmQ.objects.count() == 0
    assert kommo.refreshes <= SLICE
    assert not TokenPair.objects.exclude(ended_at=None).exists()


def test_many_are_renewed_in_small_tasks_that_carry_one_id(kommo: Kommo) -> None:
    accounts = [kommo.connect(f"n{number:02}", age=HOURS[24]) for number in range(SLICE + 5)]
    assert renewal.run_round() == "to be continued"
    (message,) = OrmQ.objects.all()
    assert message.task["args"] == (accounts[SLICE - 1].pk,)
    assert renewal.run_round(*message.task["args"]) == "done"
    assert kommo.refreshes == SLICE + 5


def test_an_integration_that_was_corrected_brings_its_accounts_back(kommo: Kommo) -> None:
    account = kommo.connect("north", age=HOURS[24])
    kommo.integration.client_secret = "wrong"
    kommo.integration.save()
    renewal.run_round()
    account.refresh_from_db()
    assert account.health == Health.RECONNECT
    kommo.integration.client_secret = kommo.sim.client_secret
    kommo.integration.save()
    token_pairs.revive(kommo.integration)
    renewal.run_round()
    account.refresh_from_db()
    assert (account.health, account.health_reason) == (Health.UNKNOWN, "")


@pytest.mark.django_db
def test_ways_through_the_consent_page_are_forgotten_after_a_day(django_user_model) -> None:
    account = AccountFactory()
    integration = account.integration or _integration()
    for number, hours in enumerate((25, 23)):
        with time_machine.travel(timezone.now() - timedelta(hours=hours)):
            ConnectAttempt.objects.create(
                state_hash=str(number), account=account, integration=integration, expires_at=timezone.now()
            )
    renewal.run_round()
    assert ConnectAttempt.objects.get().state_hash == "1"


def _integration():
    return Account.integration.field.related_model.objects.create(
        name="KommoSync", client_id="id", client_secret="-", redirect_uri="https://sync.example/oauth/callback"
    )
