"""The page of sessions: who sees which, who ends which, and that an ended one lets nobody in."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from accounts.tests.screens import excess
from syncing.models import AuditEntry
from syncing.tests import second_factor

pytestmark = pytest.mark.django_db

PAGE, END, OTHERS = (reverse(f"syncing:{name}") for name in ("sessions", "end_session", "end_other_sessions"))
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1"


def person(name: str, *codenames: str) -> User:
    made = User.objects.create_user(name, password="a-long-password", is_staff=True)
    made.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return made


def logged_in(name: str, agent: str = FIREFOX, address: str = "203.0.113.7") -> Client:
    """A browser in which somebody has logged in by the form."""
    browser = Client(headers={"User-Agent": agent}, REMOTE_ADDR=address)
    form = {"username": name, "password": "a-long-password", "next": PAGE}
    assert browser.post(reverse("admin:login"), form).status_code == 302
    return browser


def listed(browser: Client, **asked: str) -> list[tuple[str, str, str]]:
    rows = browser.get(PAGE, asked).context["rows"]
    return [(row["session"].user.username, row["session"].address, row["browser"]) for row in rows]


def names(browser: Client) -> dict[str, str]:
    """What the page calls the sessions, by their addresses."""
    return {row["session"].address: row["session"].name for row in browser.get(PAGE).context["rows"]}


def is_let_in(browser: Client) -> bool:
    return browser.get(PAGE).status_code == 200


def test_one_sees_ones_own_sessions_and_ends_another(django_assert_num_queries: Any) -> None:
    person("anna"), person("ben")
    desk, phone = logged_in("anna"), logged_in("anna", PHONE, "198.51.100.9")
    logged_in("ben", address="192.0.2.1")
    assert listed(desk) == [("anna", "198.51.100.9", "Safari, iPhone"), ("anna", "203.0.113.7", "Firefox, Linux")]
    assert listed(desk, q="198.51") == [("anna", "198.51.100.9", "Safari, iPhone")]

    answer = desk.post(END, {"name": names(desk)["198.51.100.9"]}, follow=True)

    assert "A session of anna was ended." in answer.content.decode()
    assert not is_let_in(phone)
    assert is_let_in(desk)
    noted = AuditEntry.objects.get(action="session")
    assert (noted.actor, noted.details) == ("anna", {"user": "anna", "address": "198.51.100.9"})


def test_sessions_are_listed_in_the_order_that_is_asked_for() -> None:
    person("boss", "change_user"), person("anna")
    boss = logged_in("boss")
    logged_in("anna", PHONE, "198.51.100.9"), logged_in("anna", address="192.0.2.1")
    addresses = {
        order: [address for _user, address, _browser in listed(boss, sort=order)] for order in ("", "oldest", "person")
    }
    assert addresses == {
        "": ["192.0.2.1", "198.51.100.9", "203.0.113.7"],
        "oldest": ["203.0.113.7", "198.51.100.9", "192.0.2.1"],
        "person": ["192.0.2.1", "198.51.100.9", "203.0.113.7"],
    }


def test_nobody_ends_a_session_of_another() -> None:
    person("anna"), person("ben"), person("boss", "change_user")
    anna, ben, boss = logged_in("anna"), logged_in("ben", address="192.0.2.1"), logged_in("boss", address="192.0.2.2")
    of_ben = names(boss)["192.0.2.1"]

    answer = anna.post(END, {"name": of_ben}, follow=True)

    assert "is not yours" in answer.content.decode()
    assert is_let_in(ben)
    boss.post(END, {"name": of_ben})
    assert not is_let_in(ben)
    assert [user for user, *_facts in listed(boss)] == ["boss", "anna"]


def test_all_others_end_at_once_and_this_one_stays() -> None:
    person("anna"), person("ben")
    here, phone, desk = logged_in("anna"), logged_in("anna", PHONE), logged_in("anna")
    ben = logged_in("ben")
    assert "End my other sessions" in here.get(PAGE).content.decode()

    answer = here.post(OTHERS, follow=True)

    page = answer.content.decode()
    assert "2 other sessions were ended." in page
    assert "End my other sessions" not in page
    assert [is_let_in(each) for each in (here, phone, desk, ben)] == [True, False, False, True]


def test_what_lets_nobody_in_is_not_listed_and_no_key_is_on_the_page() -> None:
    boss, anna = person("boss", "change_user"), person("anna")
    ben = person("ben")
    here = logged_in("boss")
    logged_in("anna"), logged_in("ben")
    anna.set_password("another-long-password")
    anna.save()
    User.objects.filter(pk=ben.pk).update(is_active=False)
    Client().get("/")

    assert [user for user, *_facts in listed(here)] == [boss.username]
    page = here.get(PAGE).content.decode()
    assert Session.objects.count() == 3
    assert not any(key in page for key in Session.objects.values_list("session_key", flat=True))


def test_a_session_without_the_second_factor_of_its_person_is_not_listed() -> None:
    person("boss", "change_user")
    phone, here = second_factor.Phone.of(second_factor.person("anna")), logged_in("boss")
    Client().force_login(phone.user)
    second_factor.logged_in(phone, "198.51.100.9")
    assert Session.objects.count() == 3
    assert [(user, address) for user, address, _browser in listed(here)] == [
        ("anna", "198.51.100.9"),
        ("boss", "203.0.113.7"),
    ]


def test_a_session_from_before_is_listed_without_its_beginning(admin_client: Client, admin_user: User) -> None:
    session = admin_client.session
    del session["kommosync_login"]
    session.save()
    assert listed(admin_client) == [("admin", "", "")]


def test_many_sessions_cost_no_more_queries(admin_client: Client, django_assert_num_queries: Any) -> None:
    admin_client.get(PAGE)
    with django_assert_num_queries(4):
        admin_client.get(PAGE)
    for number in range(60):
        Client().force_login(User.objects.create_user(f"anna-{number}"))
    with django_assert_num_queries(4):
        assert len(listed(admin_client)) == 50


def test_a_person_finds_a_session_and_ends_it_in_the_browser(page: Any) -> None:
    phone = Client(headers={"User-Agent": PHONE}, REMOTE_ADDR="198.51.100.9")
    phone.post(reverse("admin:login"), {"username": "admin", "password": "password", "next": PAGE})
    page.set_viewport_size({"width": 360, "height": 800})
    page.click("[popovertarget=ks-user]")
    page.click("#ks-user >> text=Sessions")
    page.fill(".ks-search [name=q]", "198.51")
    page.click(".ks-search [type=submit]")
    assert excess(page) <= 0

    page.click("tbody tr:has-text('Safari, iPhone') >> text=End")

    page.wait_for_selector("text=A session of admin was ended.")
    assert page.locator("tbody tr").count() == 1
    assert page.locator("tbody tr").inner_text().endswith("This browser")
    assert not is_let_in(phone)
