"""The page that asks what happens to edits of an item, and where the present mode is shown."""

import pytest
from django.urls import reverse

from accounts.models import Account, HealMode, SyncGroup
from accounts.tests.factories import AccountFactory
from syncing.models import HealingRule, IdMapping, ItemMode
from syncing.tests.factories import DriftFactory, difference, extra
from syncing.tests.views.test_drift import allow, clerk

__all__ = ["clerk"]
pytestmark = pytest.mark.django_db
OFFER = {"kind": "stage", "key": "7/71"}


@pytest.fixture
def north() -> Account:
    account = AccountFactory.cast()["north"]
    SyncGroup.objects.update(heal=HealMode.REPORT)
    DriftFactory(account=account, rows=[difference(), difference("7/72", name="Deal"), extra()])
    return account


def asked(account: Account) -> str:
    return reverse("syncing:item_mode", args=[account.pk])


def drift_page(client, account: Account) -> str:
    return " ".join(client.get(reverse("syncing:drift_account", args=[account.pk])).content.decode().split())


def test_the_drift_page_shows_what_happens_to_edits_of_each_item_and_links_to_the_question(admin_client, north) -> None:
    HealingRule.objects.create(group=north.group, **OFFER, name="Offer", parent="Sales", mode=ItemMode.LOCKED)
    html = drift_page(admin_client, north)
    assert html.count("Put edits back</span>") == 2  # by its difference, and in the list of such items
    assert html.count("Report edits</span>") == 1  # of Deal; an item of the slave alone has none
    assert html.count(f"{asked(north)}?kind=stage&amp;key=7%2F71") == 2
    assert "The group: Report it." in html


def test_a_local_item_can_be_found_when_it_differs_no_more(admin_client, north) -> None:
    IdMapping.objects.create(account=north, kind="stage", master_key="7/71", slave_key="9/91", name="Offer")
    response = admin_client.post(asked(north), {**OFFER, "mode": "local"}, follow=True)
    html = response.content.decode()
    assert "Stored for Offer, in every account of the group." in html
    assert "Leave it to each account</span>" in html
    assert f"{asked(north)}?kind=stage&amp;key=7%2F71" in html


def test_the_question_shows_the_present_choice_and_stores_another(admin_client, north) -> None:
    HealingRule.objects.create(group=north.group, **OFFER, mode=ItemMode.LOCKED)
    html = admin_client.get(asked(north), OFFER).content.decode()
    assert 'value="locked" id="id_mode_1" required checked' in html or 'value="locked" checked' in html
    assert "Edits of Offer" in html
    admin_client.post(asked(north), {**OFFER, "mode": "reported"})
    assert HealingRule.objects.get().mode == "reported"
    admin_client.post(asked(north), {**OFFER, "mode": "group"})
    assert not HealingRule.objects.exists()


def test_the_question_says_when_the_group_does_not_heal(admin_client, north) -> None:
    said = "The group does nothing about edits at the moment"
    assert said not in admin_client.get(asked(north), OFFER).content.decode()
    SyncGroup.objects.update(heal=HealMode.OFF)
    assert said in admin_client.get(asked(north), OFFER).content.decode()


@pytest.mark.parametrize("query", [{}, {"kind": "stage", "key": "7/99"}, {"kind": "st\0age", "key": "\0"}])
def test_an_item_that_is_not_there_leads_back_with_a_sentence(admin_client, north, query) -> None:
    for send in (admin_client.get, admin_client.post):
        html = send(asked(north), query, follow=True).content.decode()
        assert "The group Branches has no such item." in html
    assert not HealingRule.objects.exists()


@pytest.mark.parametrize("mode", ["", "nonsense"])
def test_a_form_without_a_choice_asks_again(admin_client, north, mode: str) -> None:
    response = admin_client.post(asked(north), {**OFFER, "mode": mode})
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert not HealingRule.objects.exists()


def test_who_may_not_decide_sees_the_modes_and_no_link(clerk, north) -> None:
    html = drift_page(clerk, north)
    assert "Report edits</span>" in html
    assert asked(north) not in html
    assert clerk.get(asked(north), OFFER).status_code == 403
    assert clerk.post(asked(north), {**OFFER, "mode": "locked"}).status_code == 403
    allow("accept_drift")
    assert clerk.get(asked(north), OFFER).status_code == 200
