"""Invite links and the hook of an uninstall: what somebody without a login can do, and what not."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from accounts import tasks
from accounts.models import Account, AccountEvent, Integration, Invite, TokenPair
from accounts.services.connecting import invites
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from accounts.tests.oauth import connected
from accounts.tests.services.test_connecting import come_back, decide

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("consent_page")]
MANY = reverse("accounts:invite_many")


@pytest.fixture
def north(world: World, both: tuple[Integration, SimIntegration]) -> Account:
    world.add_account("north")
    facts = {"token": "", "credential_kind": "oauth", "integration": both[0], "contact_email": "boss@north.example"}
    return AccountFactory(subdomain="north", **facts)


@pytest.fixture
def link(north: Account, both: tuple[Integration, SimIntegration]) -> str:
    return invites.link(invites.invite(north, both[0], by=None)).removeprefix("https://sync.example")


def to_kommo(client: Client, link: str) -> str:
    answer = client.post(link)
    assert answer.status_code == 200, answer.text
    return str(answer.context["url"])


# -- the link --


def test_a_link_leads_through_consent_to_a_thank_you_without_a_login(client, link, north, world) -> None:
    page = client.get(link)
    assert "north" in page.text
    assert page["Cache-Control"].startswith("max-age=0")
    answer = come_back(client, decide(to_kommo(client, link)))
    assert answer["Location"] == reverse("accounts:thanks")
    assert "connected" in client.get(answer["Location"]).text
    north.refresh_from_db()
    assert north.health == Account.Health.CONNECTED
    assert Invite.objects.get().used_at is not None
    assert "invite link" in north.events.filter(code=AccountEvent.Code.CONNECTED).get().message


def test_a_used_link_connects_nobody_again(client, link) -> None:
    waiting = decide(to_kommo(client, link))
    come_back(client, decide(to_kommo(client, link)))
    before = TokenPair.objects.get().refresh_token
    assert client.get(link).status_code == 410
    assert client.post(link).status_code == 410
    assert come_back(client, waiting).status_code == 410
    assert TokenPair.objects.get().refresh_token == before


def test_a_state_of_an_invite_belongs_to_the_browser_that_began(client, link) -> None:
    asked = decide(to_kommo(client, link))
    assert come_back(Client(), asked).status_code == 403
    assert come_back(client, asked).status_code == 302


def test_a_denied_invite_leads_back_to_the_link_and_stays_good(client, link) -> None:
    answer = come_back(client, decide(to_kommo(client, link), "deny"))
    assert answer.status_code == 400
    assert link in answer.text
    assert client.get(link).status_code == 200


def test_a_withdrawn_link_is_refused_even_on_the_way_back(client, admin_client, link) -> None:
    asked = decide(to_kommo(client, link))
    action = {"action": "withdraw", "_selected_action": [Invite.objects.get().pk]}
    admin_client.post(reverse("admin:accounts_invite_changelist"), action)
    assert client.get(link).status_code == 410
    assert come_back(client, asked).status_code == 410
    assert not TokenPair.objects.exists()


def test_a_link_expires_after_two_weeks(client, link) -> None:
    with time_machine.travel(timezone.now() + timedelta(days=15)):
        assert client.get(link).status_code == 410


@pytest.mark.parametrize("token", ["7", "1:abc", "x" * 300, "0:", "%F0%9F%92%A9"])
def test_a_made_up_link_is_refused(token, client) -> None:
    assert client.get(f"/invite/{token}").status_code == 404


def test_another_account_through_an_invite_is_refused(client, link, world) -> None:
    world.add_account("south")
    assert come_back(client, decide(to_kommo(client, link), account="south")).status_code == 403
    assert not TokenPair.objects.exists()


def test_no_other_site_sees_the_address_of_the_link(client, link) -> None:
    assert client.get(link)["Referrer-Policy"] == "same-origin"
    assert client.post(link)["Referrer-Policy"] == "no-referrer"


# -- many of them --


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_all_that_need_connecting_get_a_link_in_one_csv(admin_client, north, both, world) -> None:
    connected(world, both[0], "south")
    revoked = AccountFactory(subdomain="west", health=Account.Health.TOKEN_REVOKED, name="=West")
    AccountFactory(subdomain="east", health=Account.Health.CONNECTED)
    answer = admin_client.post(MANY, {"how": "csv", "integration": both[0].pk})
    rows = rows_of(answer)
    assert [row["subdomain"] for row in rows] == ["north", "west"]
    assert rows[0]["email"] == "boss@north.example"
    assert rows[1]["name"] == "'=West"
    assert rows[0]["link"].startswith("https://sync.example/invite/")
    revoked.refresh_from_db()
    assert revoked.integration == both[0]


def test_links_that_were_sent_stay_the_same(admin_client, north, link) -> None:
    assert rows_of(admin_client.post(MANY, {"how": "csv"}))[0]["link"].endswith(link)
    assert Invite.objects.count() == 1


def test_the_selected_accounts_of_the_list_come_to_the_same_page(admin_client, north) -> None:
    other = AccountFactory(subdomain="other")
    action = {"action": "make_invites", "_selected_action": [other.pk, north.pk]}
    answer = admin_client.post(reverse("admin:accounts_account_changelist"), action, follow=True)
    assert [each.subdomain for each in answer.context["accounts"]] == ["north", "other"]


def test_an_account_that_cannot_be_invited_is_named_and_the_others_go_on(admin_client, north) -> None:
    other = AccountFactory(subdomain="other", token="", name="Other")
    answer = admin_client.post(MANY, {"how": "email", "ids": f"{north.pk},{other.pk}"}, follow=True)
    assert "Other has no integration" in answer.text
    assert Invite.objects.get().account == north


@pytest.mark.django_db(transaction=True)
def test_mails_are_sent_by_the_workers_and_the_list_says_so(admin_client, north, both) -> None:
    AccountFactory(subdomain="west", token="", credential_kind="oauth", integration=both[0])
    answer = admin_client.post(MANY, {"how": "email"}, follow=True)
    assert "no e-mail address" in answer.text
    (ids,) = OrmQ.objects.get().task["args"]
    assert mail.outbox == []
    assert tasks.send_invites(ids) == 1
    (message,) = mail.outbox
    assert message.to == ["boss@north.example"]
    assert invites.link(Invite.objects.get(email="boss@north.example")) in message.body
    assert Invite.objects.get(email="boss@north.example").sent_at is not None


def test_a_mail_that_cannot_be_sent_says_why_on_its_row(admin_client, north, link, settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    assert invites.ask_for_mails(Invite.objects.select_related("account")) == 1
    assert invites.send_mails([Invite.objects.get().pk]) == 0
    assert "ConnectionRefusedError" in Invite.objects.get().send_error
    assert "not sent" in admin_client.get(reverse("admin:accounts_invite_changelist")).text


def test_without_a_mail_server_nobody_is_told_that_mails_are_sent(admin_client, north, settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert "EMAIL_URL" in admin_client.get(MANY).text
    assert rows_of(admin_client.post(MANY, {"how": "email"}))[0]["subdomain"] == "north"
    assert not OrmQ.objects.exists()


def test_who_may_only_look_sees_no_link(client, link) -> None:
    user = User.objects.create_user("viewer", password="-", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_invite"))
    client.force_login(user)
    page = client.get(reverse("admin:accounts_invite_changelist"))
    assert page.status_code == 200
    assert link not in page.text
    assert client.get(MANY).status_code == 403


# -- the hook --


def test_an_uninstall_turns_the_account_disconnected_at_once(client, both, world) -> None:
    account = connected(world, both[0], "south", health="connected")
    query = world.accounts["south"].uninstall(both[1])
    assert client.get(f"/oauth/disabled?{query}").status_code == 200
    account.refresh_from_db()
    assert account.health == Account.Health.DISCONNECTED
    assert account.pair.refresh_token == ""
    assert account.events.get().code == AccountEvent.Code.DISCONNECTED
    assert client.get(f"/oauth/disabled?{query}").status_code == 200
    assert account.events.count() == 1


@pytest.mark.parametrize(
    "change",
    [{"signature": "0" * 64}, {"signature": ""}, {"signature": "é"}, {"account_id": "8"}, {"client_uuid": "nobody"}],
)
def test_a_wrong_signature_changes_nothing(change, client, both, world) -> None:
    account = connected(world, both[0], "south", health="connected")
    query = dict(part.split("=") for part in both[1].hook_query(account.kommo_id).split("&"))
    assert client.get("/oauth/disabled", {**query, **change}).status_code == 403
    account.refresh_from_db()
    assert account.health == Account.Health.CONNECTED


def test_an_uninstall_elsewhere_is_accepted_and_changes_nothing(client, both, world) -> None:
    account = connected(world, both[0], "south", health="connected")
    assert client.get(f"/oauth/disabled?{both[1].hook_query(12345)}").status_code == 200
    account.refresh_from_db()
    assert account.health == Account.Health.CONNECTED


def test_a_mail_whose_message_got_lost_is_sent_by_the_next_round(north, link) -> None:
    invites.ask_for_mails(Invite.objects.select_related("account"))
    assert [each.pk for each in invites.unsent()] == [Invite.objects.get().pk]
    assert invites.send_mails([each.pk for each in invites.unsent()]) == 1
    assert not invites.unsent().exists()
    assert invites.send_mails([Invite.objects.get().pk]) == 0


def test_a_link_in_a_csv_is_no_mail_that_waits(admin_client, north) -> None:
    admin_client.post(MANY, {"how": "csv"})
    assert not invites.unsent().exists()


@pytest.mark.parametrize("ids", ["abc", "9" * 30, "1,,2", "-1", "1;2"])
def test_what_is_no_id_is_never_taken_for_all(ids, admin_client, north) -> None:
    assert admin_client.get(MANY, {"ids": ids}).status_code == 404
    assert admin_client.post(MANY, {"ids": ids, "how": "csv"}).status_code == 404
    assert not Invite.objects.exists()


def test_many_links_cost_a_fixed_few_queries_each(admin_client, north, both, django_assert_max_num_queries) -> None:
    for number in range(20):
        AccountFactory(subdomain=f"unit-{number}", token="", credential_kind="oauth", integration=both[0])
    admin_client.post(MANY, {"how": "csv"})
    with django_assert_max_num_queries(21 * 5 + 15):
        assert len(rows_of(admin_client.post(MANY, {"how": "csv"}))) == 21


def test_the_pages_read_no_secret(admin_client, client, north, link, settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2NzgwMDA="]
    assert client.get(link).status_code == 200
    pages = [reverse(f"admin:accounts_{model}_changelist") for model in ("invite", "integration", "account")]
    pages += [MANY, reverse("accounts:connect", args=[north.pk])]
    pages += [reverse("admin:accounts_account_change", args=[north.pk]), reverse("admin:accounts_account_add")]
    for url in pages:
        assert admin_client.get(url).status_code == 200


def test_a_link_of_another_database_means_no_row_of_this_one(client, link) -> None:
    Invite.objects.update(created_at=timezone.now() + timedelta(seconds=1))
    assert client.get(link).status_code == 410
