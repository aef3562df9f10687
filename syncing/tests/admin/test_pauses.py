"""Pauses in the admin: actions that ask for a reason and an end, and the checkbox of an account."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from accounts.models import Account, SyncGroup
from accounts.tests.admin.test_admin import form_of
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AuditEntry

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)
ACCOUNTS, GROUPS = (reverse(f"admin:accounts_{name}_changelist") for name in ("account", "syncgroup"))


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def cast() -> dict[str, Account]:
    return AccountFactory.cast(GroupFactory(time_zone="America/Sao_Paulo"))


def act(client, url: str, action: str, *things: Account | SyncGroup, **more: str):
    return client.post(url, {"action": action, "_selected_action": [thing.pk for thing in things], **more}, follow=True)


def pause(client, url: str, *things: Account | SyncGroup, **more: str) -> str:
    return act(client, url, "pause_selected", *things, confirmed="yes", **more).content.decode()


def test_pausing_asks_for_a_reason_and_an_end_first(admin_client, cast) -> None:
    html = act(admin_client, ACCOUNTS, "pause_selected", cast["north"], cast["south"]).content.decode()
    for text in ("North", "South", 'name="reason"', 'name="hours"', 'name="until"', 'value="pause_selected"'):
        assert text in html
    assert not Account.objects.filter(paused=True).exists()


def test_accounts_are_paused_and_resumed(admin_client, cast) -> None:
    assert "2 paused." in pause(admin_client, ACCOUNTS, cast["north"], cast["south"], reason="moving", hours="2")
    north = Account.objects.get(subdomain="north")
    assert (north.is_paused, north.pause_reason, north.paused_by) == (True, "moving", "admin")
    assert (north.paused_at, north.paused_until) == (NOW, NOW + timedelta(hours=2))

    html = admin_client.get(ACCOUNTS).content.decode()
    assert html.count("paused until 5 May 2026, 14:00") == 2
    assert 'title="moving"' in html

    assert "1 resumed." in act(admin_client, ACCOUNTS, "resume_selected", north, cast["west"]).content.decode()
    assert list(Account.objects.filter(paused=True).values_list("subdomain", flat=True)) == ["south"]


def test_groups_are_paused_and_resumed(admin_client, cast) -> None:
    group = cast["north"].group
    pause(admin_client, GROUPS, group, reason="holidays", until="2026-05-06T08:00")
    group.refresh_from_db()
    assert group.paused_until == datetime(2026, 5, 6, 8, tzinfo=UTC)
    assert "paused until 6 May 2026, 08:00" in admin_client.get(GROUPS).content.decode()
    page = admin_client.get(reverse("admin:accounts_syncgroup_change", args=[group.pk])).content.decode()
    assert "holidays" in page

    act(admin_client, GROUPS, "resume_selected", group)
    assert not SyncGroup.objects.get().paused


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"reason": ""}, "This field is required."),
        ({"reason": "x", "hours": "-1"}, "-1.0 is not a number of hours"),
        ({"reason": "x", "hours": "soon"}, "Enter a number."),
        ({"reason": "x", "until": "2026-05-05T08:00"}, "is not between now and a year from now"),
        ({"reason": "x", "until": "noon"}, "noon is not a time."),
        ({"reason": "x", "hours": "1", "until": "2026-05-06T08:00"}, "not both"),
    ],
)
def test_what_is_wrong_is_asked_again_and_nobody_is_paused(admin_client, cast, sent, sentence) -> None:
    assert sentence in pause(admin_client, ACCOUNTS, cast["north"], cast["south"], **sent)
    assert not Account.objects.filter(paused=True).exists()


def test_pausing_needs_the_permission_to_change_them(client, cast) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_account", "view_syncgroup", "plan_sync")))
    client.force_login(user)
    assert "pause_selected" not in client.get(ACCOUNTS).content.decode()
    pause(client, ACCOUNTS, cast["north"], reason="mine")
    pause(client, GROUPS, cast["north"].group, reason="mine")
    assert not Account.objects.filter(paused=True).exists()
    assert not SyncGroup.objects.filter(paused=True).exists()


def test_the_checkbox_of_an_account_pauses_without_an_end_and_says_who_did(admin_client, cast) -> None:
    north = cast["north"]
    url = reverse("admin:accounts_account_change", args=[north.pk])
    assert admin_client.post(url, form_of(north, paused="on")).status_code == 302
    north.refresh_from_db()
    assert (north.is_paused, north.paused_until, north.paused_by, north.paused_at) == (True, None, "admin", NOW)

    admin_client.post(url, form_of(north, paused="on", name="New name"))  # nothing about the pause
    assert admin_client.post(url, form_of(north)).status_code == 302
    north.refresh_from_db()
    assert (north.paused, north.paused_by, north.paused_at) == (False, "", None)
    entries = AuditEntry.objects.filter(action__in=("paused", "resumed")).order_by("pk")
    assert list(entries.values_list("action", "actor", "account")) == [
        ("paused", "admin", "north"),
        ("resumed", "admin", "north"),
    ]


def test_an_account_that_is_added_paused_has_an_author(admin_client, cast) -> None:
    new = Account(group=cast["north"].group, role="slave", name="Far", subdomain="far")
    url = reverse("admin:accounts_account_add")
    assert admin_client.post(url, form_of(new, paused="on")).status_code == 302
    assert Account.objects.get(subdomain="far").paused_by == "admin"
