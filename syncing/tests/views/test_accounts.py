"""The list of accounts: what it shows and costs, its filters, and what is done with several of them."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import SyncRun
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory, missing

pytestmark = pytest.mark.django_db

LIST = reverse("syncing:accounts")


@pytest.fixture
def cast() -> dict[str, Account]:
    """North was edited and its token ends soon, south is behind and failed, west is refused and paused."""
    cast = AccountFactory.cast()
    DriftFactory(account=cast["north"])
    DriftFactory(account=cast["south"], rows=[missing()])
    DriftFactory(account=cast["west"], rows=[])
    AccountRunFactory(account=cast["south"], state="changed")
    AccountRunFactory(account=cast["south"], state="failed", reason="unpaid")
    accounts = Account.objects
    accounts.filter(subdomain="north").update(token_expires_at=timezone.now() + timedelta(days=3), is_pilot=True)
    accounts.filter(subdomain="west").update(health="unauthorised", paused=True, name="A last one", kommo_id=4711)
    return cast


def listed(client, **query: str) -> list[str]:
    return [account.subdomain for account in client.get(LIST, query).context["accounts"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["master", "west", "east", "north", "south"]),
        ({"q": "last"}, ["west"]),
        ({"q": "orth"}, ["north"]),
        ({"q": "4711"}, ["west"]),
        ({"q": "zzz"}, []),
        ({"role": "master"}, ["master"]),
        ({"health": "bad"}, ["west"]),
        ({"health": "unauthorised"}, ["west"]),
        ({"drift": "drifted"}, ["north", "south"]),
        ({"drift": "edited"}, ["north"]),
        ({"drift": "master"}, ["south"]),
        ({"drift": "never"}, ["east"]),
        ({"last_state": "bad"}, ["south"]),
        ({"last_state": "failed"}, ["south"]),
        ({"last_state": "never", "role": "slave"}, ["west", "east", "north"]),
        ({"token": "soon"}, ["north"]),
        ({"paused": "yes"}, ["west"]),
        ({"pilot": "yes"}, ["north"]),
        ({"drift": "drifted", "q": "south"}, ["south"]),
        ({"drift": "x\0", "token": "y", "sort": "z"}, ["master", "west", "east", "north", "south"]),
        ({"sort": "token", "role": "slave"}, ["north", "west", "east", "south"]),
    ],
)
def test_filters_and_orders_are_in_the_address(admin_client, cast, query, found) -> None:
    assert listed(admin_client, **query) == found


def test_counts_lead_to_what_they_count(admin_client, cast) -> None:
    response = admin_client.get(LIST)
    counts = response.context["counts"]
    assert (counts.total, counts.bad, counts.drifted, counts.edited, counts.failed, counts.paused) == (5, 1, 2, 1, 1, 1)
    html = response.content.decode()
    for query in ("health=bad", "last_state=bad", "drift=edited", "drift=drifted", "paused=yes"):
        assert f'href="?{query}"' in html
    assert reverse("syncing:account", args=[cast["north"].pk]) in html


def test_an_empty_list_says_what_to_do(admin_client) -> None:
    assert "There are no accounts yet." in admin_client.get(LIST).content.decode()
    assert "No account matches." in admin_client.get(LIST, {"q": "x"}).content.decode()


def test_it_costs_as_much_with_many_accounts(admin_client, cast) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(LIST).status_code == 200
        return len(queries)

    cost()
    before = cost()
    run = RunFactory(group=cast["north"].group)
    for _ in range(120):
        account = AccountFactory(group=cast["north"].group)
        DriftFactory(account=account)
        AccountRunFactory(run=run, account=account)
    assert cost() == before <= 9
    assert len(admin_client.get(LIST).context["accounts"]) == 100
    assert len(listed(admin_client, p="2")) == 25


def test_what_is_ticked_is_planned_after_a_question(admin_client, cast) -> None:
    html = admin_client.get(LIST).content.decode()
    changelist, others = reverse("admin:accounts_account_changelist"), SyncRun.objects.count()
    assert f'<form method="post" action="{changelist}">' in html
    assert '<option value="plan_selected">' in html
    sent = {"action": "plan_selected", "index": "0", "_selected_action": [cast["north"].pk, cast["south"].pk]}
    assert "Yes, plan" in admin_client.post(changelist, sent).content.decode()
    assert SyncRun.objects.count() == others
    admin_client.post(changelist, sent | {"confirmed": "yes"})
    assert SyncRun.objects.latest("pk").account_runs.count() == 2


def test_every_action_begins_from_the_list(admin_client, cast) -> None:
    changelist = reverse("admin:accounts_account_changelist")
    actions = [name for name, _label in admin_client.get(LIST).context["actions"]]
    assert {"check_connection", "make_invites", "export_selected", "sync_selected", "pause_selected"} <= set(actions)
    for name in actions:
        sent = {"action": name, "index": "0", "_selected_action": [cast["north"].pk], "back": f"{LIST}?q=n"}
        response = admin_client.post(changelist, sent)
        assert response.status_code == 200 or response.url == f"{LIST}?q=n", name


def test_nobody_is_led_elsewhere(admin_client, cast) -> None:
    changelist = reverse("admin:accounts_account_changelist")
    for back in ("https://evil.example/", "//evil.example/", ""):
        sent = {"action": "resume_selected", "index": "0", "_selected_action": [cast["west"].pk], "back": back}
        assert admin_client.post(changelist, sent).url == changelist


def test_who_may_only_look_sees_no_actions(client, cast) -> None:
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    client.force_login(clerk)
    assert client.get(LIST).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_account"))
    response = client.get(LIST)
    assert response.context["actions"] == []
    html = response.content.decode()
    assert not any(
        word in html for word in ("Add account", "Import accounts", "Check all", "Invite links", "ks-action")
    )


def test_groups_are_told_apart(admin_client, cast) -> None:
    other = AccountFactory(group=GroupFactory(name="Other"), subdomain="stranger")
    assert listed(admin_client, group=str(other.group_id)) == ["stranger"]
    assert admin_client.get(LIST, {"group": str(other.group_id)}).context["counts"].total == 1
