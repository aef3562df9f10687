"""The list of invite links: found by state and account, withdrawn, renewed, and their e-mails sent again."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from django_q.models import OrmQ

from accounts.models import Account, Integration, Invite
from accounts.services.connecting import invites
from accounts.tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

PAGE = reverse("syncing:invites")
REDIRECT = "https://sync.example.com/oauth/callback"


@pytest.fixture
def integration() -> Integration:
    facts = {"client_id": "id", "client_secret": "hidden-key", "redirect_uri": REDIRECT, "is_public": True}
    return Integration.objects.create(name="Ours", **facts)


@pytest.fixture
def links(integration: Integration) -> dict[str, Invite]:
    """A link of each state; that of `failing` could not be sent by e-mail."""
    now = timezone.now()
    facts: dict[str, dict[str, Any]] = {
        "open": {},
        "used": {"used_at": now},
        "withdrawn": {"withdrawn_at": now},
        "expired": {"expires_at": now - timedelta(days=1), "email": "boss@expired.example", "sent_at": now},
        "failing": {"email": "boss@failing.example", "send_error": "SMTPRecipientsRefused: no such box"},
    }
    made = {}
    for name, each in facts.items():
        account = AccountFactory(subdomain=name, token="", contact_email=f"boss@{name}.example")
        values = {"expires_at": now + timedelta(days=14), **each}
        made[name] = Invite.objects.create(account=account, integration=integration, **values)
    return made


def shown(client: Client, **asked: str) -> list[str]:
    return [row["invite"].account.subdomain for row in client.get(PAGE, asked).context["rows"]]


def press(client: Client, name: str, invite: Invite) -> str:
    """Presses a button; returns what it said."""
    url = reverse(f"syncing:{name}_invite", args=[invite.pk])
    answer = client.post(url, {"back": f"{PAGE}?state=open"}, follow=True)
    assert answer.redirect_chain == [(f"{PAGE}?state=open", 302)]
    return " ".join(str(each) for each in answer.context["messages"])


def test_links_are_found_by_what_is_in_the_address(admin_client: Client, links: dict[str, Invite]) -> None:
    assert shown(admin_client) == ["failing", "expired", "withdrawn", "used", "open"]
    assert shown(admin_client, sort="oldest")[0] == "open"
    assert shown(admin_client, sort="expires")[0] == "expired"
    for state in ("used", "withdrawn", "expired"):
        assert shown(admin_client, state=state) == [state]
    assert shown(admin_client, state="open") == ["failing", "open"]
    assert shown(admin_client, state="not_sent") == ["failing"]
    assert shown(admin_client, account="used") == shown(admin_client, q="used") == ["used"]
    assert shown(admin_client, q="boss@expired") == ["expired"]
    assert shown(admin_client, group=str(links["used"].account.group_id), integration="0", state="used") == ["used"]


def test_each_state_is_counted_whichever_is_looked_for(admin_client: Client, links: dict[str, Invite]) -> None:
    context = admin_client.get(PAGE, {"state": "used"}).context
    counts = {each.state: each.count for each in context["counts"]}
    assert counts == {"open": 2, "used": 1, "withdrawn": 1, "expired": 1}
    assert context["not_sent"] == 1


def test_each_link_says_what_became_of_it_and_of_its_mail(admin_client: Client, links: dict[str, Invite]) -> None:
    Invite.objects.filter(pk=links["open"].pk).update(email="boss@open.example")
    rows = {row["invite"].account.subdomain: row for row in admin_client.get(PAGE).context["rows"]}
    for row in rows.values():
        row.update(sentence=strip_tags(row["sentence"]), mail=strip_tags(row["mail"]))
    assert rows["open"]["sentence"].startswith("It can be used once, until ")
    assert rows["open"]["mail"] == "The workers will send it to boss@open.example."
    assert rows["used"]["sentence"].startswith("The account was connected by it, today, ")
    assert rows["withdrawn"]["sentence"].startswith("Somebody withdrew it, today, ")
    assert rows["expired"]["sentence"].startswith("Nobody used it until ")
    assert rows["expired"]["mail"].startswith("Sent to boss@expired.example, ")
    assert "SMTPRecipientsRefused: no such box" in rows["failing"]["mail"]
    assert [name for name, row in rows.items() if row["is_renewable"]] == ["expired", "withdrawn"]


def test_a_link_is_withdrawn_once(admin_client: Client, client: Client, links: dict[str, Invite]) -> None:
    address = invites.link(links["open"]).removeprefix("https://sync.example.com")
    assert address in admin_client.get(PAGE).content.decode()
    assert press(admin_client, "withdraw", links["open"]).startswith("The link is withdrawn")
    assert client.get(address).status_code == 410
    assert "any more anyway" in press(admin_client, "withdraw", links["open"])
    assert "any more anyway" in press(admin_client, "withdraw", links["used"])


def test_a_link_that_ended_is_renewed_once(admin_client: Client, links: dict[str, Invite]) -> None:
    assert "copy it from the list" in press(admin_client, "renew", links["withdrawn"])
    press(admin_client, "renew", links["withdrawn"])  # who presses twice gets the same link
    assert shown(admin_client, account="withdrawn", state="open") == ["withdrawn"]
    page = admin_client.get(PAGE, {"account": "withdrawn"})
    assert [row["is_renewable"] for row in page.context["rows"]] == [False, False]


@pytest.mark.django_db(transaction=True)
def test_who_was_sent_a_link_is_sent_the_new_one(admin_client: Client, links: dict[str, Invite]) -> None:
    assert "the workers send it" in press(admin_client, "renew", links["expired"])
    new = Invite.objects.get(account=links["expired"].account, withdrawn_at=None, expires_at__gt=timezone.now())
    assert (new.email, new.sent_at) == ("boss@expired.example", None)
    assert OrmQ.objects.get().task["args"] == ([new.pk],)


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_failed_is_sent_again_to_the_address_of_now(admin_client: Client, links: dict[str, Invite]) -> None:
    Account.objects.filter(subdomain="failing").update(contact_email="new@failing.example")
    assert press(admin_client, "mail", links["failing"]) == "The workers send it to new@failing.example."
    failing = Invite.objects.get(pk=links["failing"].pk)
    assert (failing.email, failing.send_error) == ("new@failing.example", "")
    assert OrmQ.objects.count() == 1
    assert "It was not sent" in press(admin_client, "mail", links["used"])
    assert OrmQ.objects.count() == 1


def test_an_account_that_cannot_be_connected_says_why(admin_client: Client, links: dict[str, Invite]) -> None:
    Integration.objects.update(client_secret="")
    assert "has no secret key" in press(admin_client, "renew", links["expired"])


def test_who_may_only_look_sees_no_link_and_no_button(client: Client, links: dict[str, Invite]) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert client.get(PAGE).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_invite"))
    html = client.get(PAGE).content.decode()
    assert "boss@failing.example" in html
    assert "/invite/" not in html
    assert "Withdraw the link" not in html
    for name in ("withdraw", "renew", "mail"):
        assert client.post(reverse(f"syncing:{name}_invite", args=[links["open"].pk])).status_code == 403
    assert Invite.objects.filter(withdrawn_at=None).count() == 4


def test_the_pages_of_accounts_lead_to_the_links(admin_client: Client, links: dict[str, Invite]) -> None:
    account = links["open"].account
    html = admin_client.get(reverse("syncing:account", args=[account.pk])).content.decode()
    assert f'href="{PAGE}?account=open"' in html
    assert f'href="{PAGE}"' in admin_client.get(reverse("syncing:accounts")).content.decode()


def test_many_links_cost_no_more_queries(
    admin_client: Client, links: dict[str, Invite], integration: Integration, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        account = AccountFactory(subdomain=f"more-{number}", token="")
        Invite.objects.create(account=account, integration=integration, expires_at=timezone.now() + timedelta(days=1))
    with django_assert_max_num_queries(9):
        assert len(shown(admin_client)) == 50
