"""The list of connection events: to be looked at only."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from accounts.actors import Actor
from accounts.models import Account, AccountEvent
from accounts.services import events
from accounts.tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
LIST = reverse("admin:accounts_accountevent_changelist")
Code = AccountEvent.Code


@pytest.fixture(autouse=True)
def collected(settings, tmp_path) -> None:
    """A directory of collected static files: without one whitenoise warns."""
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def north() -> Account:
    return AccountFactory(subdomain="north", name="North")


def test_the_list_tells_what_happened_to_whom_and_who_did_it(admin_client, north) -> None:
    events.note(
        north.pk,
        Code.CONNECTED,
        "With the integration KommoSync.",
        by=Actor.of_user(User.objects.create_user("clerk"), "admin"),
    )
    html = admin_client.get(LIST).content.decode()
    assert '<span class="ks-badge ks-ok">Connected</span>' in html
    assert reverse("admin:accounts_account_change", args=[north.pk]) in html
    assert "clerk" in html


def test_every_kind_of_event_has_its_badge(admin_client, north) -> None:
    for code in Code:
        events.note(north.pk, code)
    html = admin_client.get(LIST).content.decode()
    assert [str(code.label) for code in Code if f">{code.label}</span>" not in html] == []


@pytest.mark.parametrize("query", [{"q": "north"}, {"q": "Removed"}, {"code__exact": "disconnected"}])
def test_the_list_can_be_searched_and_filtered(admin_client, north, query) -> None:
    events.note(north.pk, Code.DISCONNECTED, "Removed in Kommo.")
    events.note(AccountFactory(subdomain="south").pk, Code.CONNECTED, "Well.")
    html = admin_client.get(LIST, query).content.decode()
    assert "Removed in Kommo." in html
    assert "Well." not in html


def test_nothing_in_it_can_be_changed(admin_client, north) -> None:
    event = events.note(north.pk, Code.CONNECTED)
    assert admin_client.get(reverse("admin:accounts_accountevent_add")).status_code == 403
    assert admin_client.post(reverse("admin:accounts_accountevent_delete", args=[event.pk])).status_code == 403


def test_an_account_is_deleted_together_with_its_events(admin_client, north) -> None:
    events.note(north.pk, Code.CONNECTED)
    url = reverse("admin:accounts_account_delete", args=[north.pk])
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    assert not AccountEvent.objects.exists()


def test_the_list_costs_the_same_queries_for_few_and_many(admin_client, django_assert_max_num_queries) -> None:
    for account in AccountFactory.create_batch(50):
        events.note(account.pk, Code.CONNECTED)
    with django_assert_max_num_queries(10):
        assert admin_client.get(LIST).status_code == 200
