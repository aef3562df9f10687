"""A person in a real browser: from Connect, or from an invite link, through Kommo's consent page to "connected"."""

import re

import pytest

from accounts.models import Account, Integration, Invite, TokenPair
from accounts.services.connecting import invites
from accounts.tests.factories import AccountFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kommo(simulator, settings, world):
    """Two accounts in the simulated Kommo, and its consent page."""
    settings.KOMMO_OAUTH_URL = f"{simulator.url}/oauth"
    for name in ("north", "south"):
        world.add_account(name)
    return world


@pytest.fixture
def integration(kommo, live_server) -> Integration:
    theirs = kommo.add_integration(redirect_uri=f"{live_server.url}/oauth/callback")
    ours = Integration(name="KommoSync", client_id=theirs.client_id, client_secret=theirs.client_secret)
    ours.redirect_uri, ours.is_public = theirs.redirect_uri, True
    ours.save()
    return ours


@pytest.fixture
def north(integration) -> Account:
    return AccountFactory(subdomain="north", token="", credential_kind="oauth", integration=integration)


def through_kommo(page, button: str, account: str = "north") -> None:
    page.click("text=Connect at Kommo")
    page.wait_for_url("**/oauth?client_id=*")
    page.select_option("#account", account)
    page.click(f"button:has-text('{button}')")


def test_connect_deny_wrong_account_and_reconnect(page, browser, north) -> None:
    page.goto(f"/accounts/account/{north.pk}/change/")
    page.click(".ks-tools >> text=Connect")
    through_kommo(page, "Deny")
    page.locator("text=denied").wait_for()
    browser.complaints.clear()  # the browser notes the 400 of that page

    page.click("text=Try again")
    through_kommo(page, "Allow", "south")
    page.locator("text=south was chosen").wait_for()
    browser.complaints.clear()
    assert not TokenPair.objects.exists()

    page.click("text=Try again")
    through_kommo(page, "Allow")
    page.wait_for_url("**/accounts/account/*/change/")
    page.locator(".field-health_badge >> text=Connected").wait_for()
    first = TokenPair.objects.get().refresh_token

    page.click(".ks-tools >> text=Connect again")
    through_kommo(page, "Allow")
    page.wait_for_url("**/accounts/account/*/change/")
    page.locator(".messagelist >> text=is connected").wait_for()
    assert TokenPair.objects.get().refresh_token != first


def test_from_an_integration_and_a_new_account_to_plan_first_sync(page, kommo, live_server) -> None:
    theirs = kommo.add_integration(redirect_uri=f"{live_server.url}/oauth/callback")
    page.goto("/accounts/integration/add/")
    assert page.input_value("#id_redirect_uri") == theirs.redirect_uri
    page.fill("#id_name", "KommoSync")
    page.fill("#id_client_id", theirs.client_id)
    page.fill("#id_new_secret", f" {theirs.client_secret} ")
    page.click("[name=_save]")
    page.locator("text=Spaces around the secret key were removed").wait_for()
    page.goto("/accounts/syncgroup/add/")
    page.fill("#id_name", "Branches")
    page.click("[name=_save]")
    page.goto("/accounts/account/add/")
    page.select_option("#id_group", label="Branches")
    page.fill("#id_subdomain", "north")
    page.select_option("#id_integration", label="KommoSync")
    page.click("[name=_save]")
    page.locator(".messagelist >> text=plan its first sync").wait_for()
    through_kommo(page, "Allow")
    page.locator(".field-health_badge >> text=Connected").wait_for()
    page.click("text=Plan first sync")
    page.locator("h1:has-text('Plan north')").wait_for()


def test_an_invite_link_needs_no_login(browser, north, integration) -> None:
    link = invites.link(invites.invite(north, integration, by=None))
    page = browser.new_page()
    page.goto(link)
    page.locator("text=north").first.wait_for()
    through_kommo(page, "Allow")
    page.wait_for_url(re.compile("/oauth/thanks"))
    north.refresh_from_db()
    assert north.health == Account.Health.CONNECTED
    assert Invite.objects.get().used_at is not None
    page.goto(link)
    page.locator("text=was used already").wait_for()
    browser.complaints.clear()  # the browser notes the 410 of that page
