"""The way through Kommo's consent page, as browsers go it: to the end, denied, planted, replayed, elsewhere."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
import time_machine
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import request_counts
from accounts.models import Account, AccountEvent, ConnectAttempt, Integration, RequestTotals, TokenPair
from accounts.simulator.faults import Fault
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from accounts.tests.oauth import TOKEN_PATH, connected

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("consent_page")]
CALLBACK = "/oauth/callback"


@pytest.fixture
def north(world: World, both: tuple[Integration, SimIntegration]) -> Account:
    world.add_account("north")
    world.add_account("south")
    return AccountFactory(subdomain="north", token="", credential_kind="oauth", integration=both[0])


def begin(client: Client, account: Account) -> str:
    """Presses Connect; the address of Kommo's page that the browser is led to."""
    answer = client.post(reverse("accounts:connect", args=[account.pk]))
    assert answer.status_code == 200, answer.content
    return str(answer.context["url"])


def decide(url: str, decision: str = "allow", account: str = "north") -> dict[str, str]:
    """Presses a button on Kommo's page; what comes back in the query of the redirect."""
    answer = requests.post(url, data={"account": account, "decision": decision}, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def come_back(client: Client, asked: dict[str, str]) -> Any:
    return client.get(f"{CALLBACK}?{urlencode(asked)}")


def state_of(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query))["state"]


def test_the_requests_of_a_consent_are_counted(admin_client, north, world, monkeypatch) -> None:
    monkeypatch.setattr(request_counts, "COUNTS", request_counts.RequestCounts())
    asked = decide(begin(admin_client, north))
    before = sum(world.log.statuses.values())
    come_back(admin_client, asked)
    sent = sum(world.log.statuses.values()) - before
    assert RequestTotals.objects.get().ok == sent == 3  # the code, whose account, which rights


def test_from_connect_to_connected(admin_client, north, world) -> None:
    answer = come_back(admin_client, decide(begin(admin_client, north)))
    assert answer.status_code == 302
    assert answer["Location"] == reverse("admin:accounts_account_change", args=[north.pk])
    north.refresh_from_db()
    assert north.health == Account.Health.CONNECTED
    assert north.kommo_id == world.accounts["north"].account_id
    assert world.accounts["north"].accepts(north.pair.access_token)
    assert (north.token_expires_at - timezone.now()).days == 89
    event = north.events.get()
    assert (event.code, event.by.username) == (AccountEvent.Code.CONNECTED, "admin")


def test_the_page_asks_for_consent_in_the_same_window_with_a_state_of_its_own(admin_client, north, both) -> None:
    first, second = begin(admin_client, north), begin(admin_client, north)
    asked = dict(parse_qsl(urlsplit(first).query))
    assert asked["client_id"] == both[0].client_id
    assert asked["mode"] == "post_message"
    assert len(asked["state"]) > 30
    assert state_of(first) != state_of(second)
    assert asked["state"] not in str(list(ConnectAttempt.objects.values_list()))


def test_the_referer_may_come_with_a_scheme(admin_client, north, world) -> None:
    world.variants.referer_scheme = True
    asked = decide(begin(admin_client, north))
    assert asked["referer"].startswith("http://")
    come_back(admin_client, asked)
    north.refresh_from_db()
    assert north.health == Account.Health.CONNECTED


def test_denied_says_so_and_leads_back_to_connect(admin_client, north) -> None:
    answer = come_back(admin_client, decide(begin(admin_client, north), "deny"))
    assert answer.status_code == 400
    assert "denied" in answer.text
    assert reverse("accounts:connect", args=[north.pk]) in answer.text
    assert not TokenPair.objects.exists()
    assert north.events.get().code == AccountEvent.Code.REFUSED


def test_a_state_works_once(admin_client, north) -> None:
    asked = decide(begin(admin_client, north))
    come_back(admin_client, asked)
    answer = come_back(admin_client, asked)
    assert answer.status_code == 400
    assert "used before" in answer.text


def test_a_state_lives_twenty_minutes(admin_client, north, world) -> None:
    asked = decide(begin(admin_client, north))
    with time_machine.travel(timezone.now() + timedelta(minutes=21)):
        answer = come_back(admin_client, asked)
    assert answer.status_code == 400
    assert "20 minutes" in answer.text
    assert not [record for record in world.log if record.path == "/oauth2/access_token"]


@pytest.mark.parametrize("asked", [{}, {"state": "x", "code": "y"}, {"code": "y", "referer": "north.kommo.com"}])
def test_an_answer_to_nothing_is_refused_without_a_request(asked, admin_client, north, world) -> None:
    answer = come_back(admin_client, asked)
    assert answer.status_code == 400
    assert len(world.log) == 0


def test_a_state_of_another_user_is_refused_and_stays_good_for_its_owner(admin_client, client, north, world) -> None:
    asked = decide(begin(admin_client, north))
    before = len(world.log)
    client.force_login(User.objects.create_superuser("eve", password="-"))
    assert come_back(client, asked).status_code == 403
    assert come_back(Client(), asked).status_code == 403
    assert len(world.log) == before
    assert come_back(admin_client, asked).status_code == 302


@pytest.mark.parametrize(
    "referer",
    ["evil.example", "north.kommo.com.evil.example", "evil.example/north", "", "north@evil.example", "../north", "x y"],
)
def test_a_referer_of_another_host_is_refused_noted_and_nothing_is_sent(
    referer, admin_client, north, world, caplog
) -> None:
    asked = {**decide(begin(admin_client, north)), "referer": referer}
    before = len(world.log)
    answer = come_back(admin_client, asked)
    assert answer.status_code == 403
    assert "foreign_host" in caplog.text
    assert len(world.log) == before
    assert north.events.get().code == AccountEvent.Code.REFUSED


def test_another_account_chosen_is_refused_by_name_and_nothing_is_stored(admin_client, north) -> None:
    answer = come_back(admin_client, decide(begin(admin_client, north), account="south"))
    assert answer.status_code == 403
    assert "south was chosen" in answer.text
    assert not TokenPair.objects.exists()
    north.refresh_from_db()
    assert north.kommo_id is None


def test_a_known_account_is_recognised_by_its_id_though_its_subdomain_changed(admin_client, north, world) -> None:
    Account.objects.update(kommo_id=world.accounts["north"].account_id)
    world.rename_account("north", "north-2")
    come_back(admin_client, decide(begin(admin_client, north), account="north-2"))
    north.refresh_from_db()
    assert (north.subdomain, north.health) == ("north-2", Account.Health.CONNECTED)
    assert AccountEvent.Code.RENAMED in north.events.values_list("code", flat=True)


def test_an_account_that_is_here_twice_is_refused(admin_client, north, world) -> None:
    AccountFactory(subdomain="old-north", kommo_id=world.accounts["north"].account_id)
    answer = come_back(admin_client, decide(begin(admin_client, north)))
    assert answer.status_code == 403
    assert "old-north" in answer.text


def test_an_expired_code_says_what_to_do(admin_client, north, world) -> None:
    asked = decide(begin(admin_client, north))
    for code in world.accounts["north"].grants.codes.values():
        code.expires_at = 0
    answer = come_back(admin_client, asked)
    assert answer.status_code == 400
    assert "Authorization code has expired" in answer.text
    assert "Press Connect again" in answer.text


def test_a_wrong_secret_names_what_to_compare(admin_client, north, both, world) -> None:
    world.new_secret(both[1])
    answer = come_back(admin_client, decide(begin(admin_client, north)))
    assert "secret key" in answer.text
    assert both[0].client_secret not in answer.text


def test_a_kommo_that_does_not_answer_keeps_what_was_connected(admin_client, north, both, world) -> None:
    south = connected(world, both[0], "south")
    before = south.pair.refresh_token
    world.faults.add(Fault("500", path="/oauth2/access_token", times=None))
    answer = come_back(admin_client, decide(begin(admin_client, south), account="south"))
    assert answer.status_code == 400
    assert TokenPair.objects.get(pk=south.pk).refresh_token == before


def test_reconnecting_replaces_the_pair_and_the_long_lived_token(admin_client, world, both) -> None:
    south = connected(world, both[0], "south", token="token-of-south")
    TokenPair.objects.update(ended_at=timezone.now())
    come_back(admin_client, decide(begin(admin_client, south), account="south"))
    south.refresh_from_db()
    pair = TokenPair.objects.get(pk=south.pk)
    assert (pair.generation, pair.ended_at, south.token) == (2, None, "")
    assert south.health == Account.Health.CONNECTED


def test_an_account_without_administrator_rights_is_connected_but_says_so(admin_client, north, world) -> None:
    asked = decide(begin(admin_client, north))
    world.accounts["north"].admin = False
    come_back(admin_client, asked)
    north.refresh_from_db()
    assert north.health == Account.Health.NOT_ADMIN


def test_without_an_integration_the_page_says_where_to_choose_one(admin_client) -> None:
    account = AccountFactory()
    url = reverse("accounts:connect", args=[account.pk])
    assert "no integration" in admin_client.get(url).text
    assert admin_client.post(url).status_code == 400
    assert not ConnectAttempt.objects.exists()


def test_a_private_integration_serves_one_account(admin_client, north, both) -> None:
    Integration.objects.update(is_public=False)
    other = AccountFactory(integration=both[0], subdomain="other")
    answer = admin_client.get(reverse("accounts:connect", args=[north.pk]))
    assert other.name in answer.text
    assert "private" in answer.text


def test_connecting_needs_its_permission(client, north) -> None:
    user = User.objects.create_user("viewer", password="-", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_account"))
    client.force_login(user)
    url = reverse("accounts:connect", args=[north.pk])
    assert client.get(url).status_code == 403
    assert client.post(url).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="connect_account"))
    assert client.get(url).status_code == 200


def test_the_page_warns_when_kommo_would_send_people_to_another_host(admin_client, north) -> None:
    Integration.objects.update(redirect_uri="https://sync.example.com/oauth/callback")
    assert "sync.example.com" in admin_client.get(reverse("accounts:connect", args=[north.pk])).text


def test_an_added_account_with_an_integration_goes_on_to_its_connection(admin_client, both, world) -> None:
    group = AccountFactory().group
    form = {"group": group.pk, "role": "slave", "subdomain": "east", "name": "", "integration": both[0].pk}
    answer = admin_client.post(reverse("admin:accounts_account_add"), form)
    made = Account.objects.get(subdomain="east")
    assert made.uses_oauth
    assert answer["Location"] == reverse("accounts:connect", args=[made.pk])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", [TOKEN_PATH, "/api/v4/account", None])
def test_an_account_that_alone_refuses_us_says_so_when_it_is_connected(admin_client, north, world, path) -> None:
    AccountFactory(subdomain="west", token=world.add_account("west").token)
    asked = decide(begin(admin_client, north))
    world.faults.add(Fault("403_plain", subdomain="north", path=path, times=None))
    answer = come_back(admin_client, asked)
    assert answer.status_code == 400
    assert ("whitelist" if path is None else "firewall") in answer.text
    assert not TokenPair.objects.exists()
