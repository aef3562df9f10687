"""The pages of a check of many connections."""

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, ConnectionCheck
from accounts.services.health.bulk_check import start_check
from accounts.tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
Health = Account.Health
LIST = reverse("admin:accounts_account_changelist")
START = reverse("accounts:check_start")


@pytest.fixture(autouse=True)
def collected(settings, tmp_path) -> None:
    """A directory of collected static files: without one whitenoise warns."""
    settings.STATIC_ROOT = tmp_path


def page_of(check: ConnectionCheck) -> str:
    return reverse("accounts:check", args=[check.pk])


def found(check: ConnectionCheck, *, finished: bool = True, **healths: str) -> None:
    """What was found, by subdomain; the others wait."""
    for name, health in healths.items():
        reason = "" if health == Health.CONNECTED else f"Because of {name}."
        items = check.items.filter(account__subdomain=name)
        items.update(health=health, reason=reason, done_at=timezone.now())
    ConnectionCheck.objects.filter(pk=check.pk).update(finished_at=timezone.now() if finished else None)


@pytest.fixture
def check() -> ConnectionCheck:
    AccountFactory.cast()
    return start_check()


def test_the_button_of_the_list_asks_first_and_leads_to_the_job(admin_client) -> None:
    AccountFactory.cast()
    assert START in admin_client.get(LIST).content.decode()
    assert "each of 5 accounts" in admin_client.get(START).content.decode()
    assert not ConnectionCheck.objects.exists()
    answer = admin_client.post(START)
    assert answer["Location"] == page_of(ConnectionCheck.objects.get())


def test_a_second_click_joins_the_job_and_says_so_to_somebody_else(admin_client, check) -> None:
    html = admin_client.post(START, follow=True).content.decode()
    assert "already being checked" in html
    assert ConnectionCheck.objects.count() == 1


def test_a_page_at_work_shows_what_came_and_what_waits(admin_client, check) -> None:
    found(check, finished=False, north=Health.CONNECTED, west=Health.TOKEN_EXPIRED)
    html = admin_client.get(page_of(check)).content.decode()
    assert 'data-ks-open="yes"' in html
    assert "2 of 5 accounts" in html
    assert "3 Waiting" in html
    assert html.index("Because of west.") < html.index("North")
    assert "Check these again" not in html


def test_the_live_parts_are_those_of_the_page_and_end_with_the_job(admin_client, check) -> None:
    page = admin_client.get(page_of(check)).content.decode()
    live = reverse("accounts:check_live", args=[check.pk])
    answer = admin_client.get(live).json()
    assert answer["open"] is True
    assert all(f'id="{name}"' in page for name in answer["parts"])
    found(check, **dict.fromkeys(("master", "north", "south", "west", "east"), Health.CONNECTED))
    assert admin_client.get(live).json()["open"] is False


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"health": "unpaid"}, ["East"]),
        ({"health": "waiting"}, ["Master", "South", "West"]),
        ({"q": "NOR"}, ["North"]),
        ({"health": "unpaid", "q": "nor"}, []),
        ({"health": "nonsense"}, ["Master", "North", "South", "West", "East"]),
    ],
)
def test_the_accounts_can_be_filtered_and_searched(admin_client, check, query, shown) -> None:
    found(check, finished=False, north=Health.CONNECTED, east=Health.UNPAID)
    items = admin_client.get(page_of(check), query).context["items"]
    assert sorted(item.account.name for item, _ in items) == sorted(shown)


def test_the_page_says_what_to_do_next(admin_client, check) -> None:
    found(check, master=Health.CONNECTED, north=Health.UNPAID, south=Health.RECONNECT, west=Health.TOKEN_EXPIRED)
    html = admin_client.get(page_of(check)).content.decode()
    assert "2 accounts need connecting" in html
    assert reverse("accounts:invite_many") in html
    admin_client.post(reverse("accounts:check_again", args=[check.pk]))
    again = ConnectionCheck.objects.exclude(pk=check.pk).get()
    names = set(again.items.values_list("account__subdomain", flat=True))
    assert names == {"north", "south", "west", "east"}


def test_a_page_of_connected_accounts_only_leads_to_the_dashboard(admin_client, check) -> None:
    found(check, **dict.fromkeys(("master", "north", "south", "west", "east"), Health.CONNECTED))
    html = admin_client.get(page_of(check)).content.decode()
    assert "All of them are connected" in html
    assert "Check these again" not in html


def test_a_job_that_was_stopped_says_why(admin_client, check) -> None:
    found(check, north=Health.IP_BLOCKED)
    ConnectionCheck.objects.update(note="Kommo blocks this machine. 4 accounts were not asked.")
    html = admin_client.get(page_of(check)).content.decode()
    assert "Stopped" in html
    assert "4 accounts were not asked" in html


def test_a_check_needs_its_permission_at_every_door(client, check) -> None:
    user = User.objects.create_user("clerk", password="-", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_account"))
    client.force_login(user)
    doors = [START, page_of(check), reverse("accounts:check_live", args=[check.pk])]
    assert [client.get(door).status_code for door in doors] == [403] * 3
    assert client.post(reverse("accounts:check_again", args=[check.pk])).status_code == 403
    assert START not in client.get(LIST).content.decode()
    user.user_permissions.add(Permission.objects.get(codename="check_account"))
    assert [client.get(door).status_code for door in doors] == [200] * 3
    assert START in client.get(LIST).content.decode()
    client.logout()
    assert client.get(page_of(check)).status_code == 302


def test_the_page_costs_the_same_queries_for_few_and_many(admin_client, django_assert_max_num_queries) -> None:
    AccountFactory.create_batch(130)
    check = start_check()
    with django_assert_max_num_queries(8):
        html = admin_client.get(page_of(check)).content.decode()
    assert "0 of 130 accounts" in html


def test_the_page_of_a_check_never_reads_a_secret(admin_client, check, settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["x" * 43 + "="]
    assert admin_client.get(page_of(check)).status_code == 200


def test_names_and_reasons_never_become_markup(admin_client) -> None:
    evil = "<script>alert(1)</script>"
    AccountFactory(subdomain="north", name=evil)
    check = start_check()
    check.items.update(health=Health.UNPAID, reason=evil)
    assert evil not in admin_client.get(page_of(check)).content.decode()
