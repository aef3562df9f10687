"""The admin pages of integrations: the secret key is written and never read, and what a correction brings."""

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, Integration, TokenPair
from accounts.services.connecting import invites
from accounts.tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
LIST = reverse("admin:accounts_integration_changelist")
ADD = reverse("admin:accounts_integration_add")
HERE = "http://testserver/oauth/callback"


@pytest.fixture(autouse=True)
def collected(settings, tmp_path) -> None:
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def integration() -> Integration:
    facts = {"client_id": "id-of-sync", "client_secret": "secret-of-sync", "redirect_uri": form()["redirect_uri"]}
    return Integration.objects.create(name="Sync", **facts)


def page_of(integration: Integration) -> str:
    return reverse("admin:accounts_integration_change", args=[integration.pk])


def form(**changes: object) -> dict[str, object]:
    facts = {"name": "Sync", "client_id": "id-of-sync", "redirect_uri": "https://sync.example/oauth/callback"}
    return {**facts, "new_secret": "", **changes}


def said(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def test_a_secret_key_is_stored_trimmed_and_that_is_said(admin_client) -> None:
    answer = admin_client.post(ADD, form(new_secret="  secret-of-sync\t"))
    assert Integration.objects.get().client_secret == "secret-of-sync"
    assert "Spaces around the secret key were removed" in said(answer)


@pytest.mark.parametrize("secret", ["", "   ", "two words", "café", "x" * 9000])
def test_what_can_be_no_secret_key_is_refused_without_being_shown(secret, admin_client) -> None:
    answer = admin_client.post(ADD, form(new_secret=secret))
    assert answer.status_code == 200
    assert not Integration.objects.exists()
    assert not secret.strip() or secret not in answer.text


def test_the_secret_key_is_in_no_page_and_an_empty_input_keeps_it(admin_client, integration) -> None:
    pages = [LIST, page_of(integration), reverse("admin:accounts_integration_history", args=[integration.pk])]
    admin_client.post(page_of(integration), form(name="Other"))
    assert Integration.objects.get().client_secret == "secret-of-sync"
    assert not [url for url in pages if "secret-of-sync" in admin_client.get(url).text]


def test_who_may_only_look_is_shown_no_field_for_the_secret_key(client, integration) -> None:
    user = User.objects.create_user("viewer", password="-", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_integration"))
    client.force_login(user)
    page = client.get(page_of(integration))
    assert page.status_code == 200
    assert "new_secret" not in page.text
    client.post(page_of(integration), form(new_secret="another"))
    assert Integration.objects.get().client_secret == "secret-of-sync"


def test_a_corrected_secret_key_makes_refused_pairs_worth_another_try(admin_client, integration) -> None:
    account = AccountFactory(integration=integration)
    now = timezone.now()
    TokenPair.objects.create(
        account=account, integration=integration, obtained_at=now, ended_at=now, failure={}, refresh_token="r"
    )
    assert "tried again" not in said(admin_client.post(page_of(integration), form(name="Other name")))
    assert TokenPair.objects.get().ended_at is not None
    assert "tried again" in said(admin_client.post(page_of(integration), form(new_secret="the-right-one")))
    assert TokenPair.objects.get().ended_at is None


def test_one_that_serves_several_accounts_is_not_private(admin_client, integration) -> None:
    Integration.objects.update(is_public=True)
    for _ in range(2):
        AccountFactory(integration=integration)
    assert "serves several accounts" in admin_client.post(page_of(integration), form()).text
    assert Integration.objects.get().is_public


def test_a_redirect_uri_that_leads_elsewhere_is_pointed_out(admin_client) -> None:
    answer = admin_client.post(ADD, form(new_secret="s", redirect_uri="https://sync.example/elsewhere"))
    assert HERE in said(answer)
    assert Integration.objects.exists()


def test_the_form_begins_with_our_own_address(admin_client) -> None:
    assert f'value="{HERE}"' in admin_client.get(ADD).text


def test_the_list_is_searched_by_the_accounts_it_serves(admin_client, integration) -> None:
    AccountFactory(subdomain="north", integration=integration)
    assert "id-of-sync" in admin_client.get(LIST, {"q": "north"}).text
    assert "id-of-sync" not in admin_client.get(LIST, {"q": "nobody"}).text


def test_the_page_shows_the_address_of_the_hook(admin_client, integration) -> None:
    assert "https://sync.example/oauth/disabled" in admin_client.get(page_of(integration)).text


def test_one_that_was_only_invited_with_can_be_deleted(admin_client, integration) -> None:
    account = AccountFactory(token="", integration=integration)
    invites.invite(account, integration, by=None)
    Account.objects.update(integration=None)
    url = reverse("admin:accounts_integration_delete", args=[integration.pk])
    assert "permission" not in admin_client.get(url).text
    admin_client.post(url, {"post": "yes"})
    assert not Integration.objects.exists()
