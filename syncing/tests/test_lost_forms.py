"""A form that comes too late, from elsewhere, or to the wrong address: never a blank page, nor Django's own."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from syncing.models import SyncRun
from syncing.tests.test_roles import DOORS, Scene

pytestmark = pytest.mark.django_db
ENDED = "Your session had ended"
PASSWORD = {"username": "admin", "password": "password"}


def text(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.fixture
def stranger() -> Client:
    """A browser whose session has ended."""
    return Client()


@pytest.mark.parametrize("door", sorted(name for name in DOORS if "POST" in DOORS[name]))
def test_a_form_sent_after_the_end_of_the_session_is_told_to_be_lost(
    door: str, stranger: Client, admin_user: User
) -> None:
    scene = Scene()
    number = SyncRun.objects.count()
    page = f"/runs/{scene.plan.pk}/approve?q=north"
    answer = stranger.post(scene.url(door), scene.data(door), headers={"referer": f"http://testserver{page}"})
    login = stranger.get(answer["Location"])
    assert ENDED in text(login)
    again = stranger.post(answer["Location"], PASSWORD | {"next": login.context["next"]})
    assert again["Location"] == page
    assert SyncRun.objects.count() == number


@pytest.mark.parametrize("referer", ["", "https://evil.example/x", "//evil.example/x", "http://testserver"])
def test_it_leads_to_the_overview_if_the_page_is_not_known(referer: str, stranger: Client, admin_user: User) -> None:
    answer = stranger.post("/drift/check", headers={"referer": referer})
    assert stranger.post(answer["Location"], PASSWORD)["Location"] == "/"


def test_who_only_opens_a_page_after_the_end_of_the_session_hears_nothing_of_a_form(stranger: Client) -> None:
    assert ENDED not in text(stranger.get("/runs/", follow=True))


def test_who_may_not_use_the_console_at_all_hears_of_no_ended_session() -> None:
    client = Client()
    client.force_login(User.objects.create_user("ben"))
    assert ENDED not in text(client.post("/drift/check", follow=True))


def test_the_address_of_a_button_is_no_blank_page(admin_client: Client) -> None:
    scene = Scene()
    for door in [name for name in DOORS if set(DOORS[name]) == {"POST"}]:
        answer = admin_client.get(scene.url(door))
        assert (answer.status_code, answer["Allow"]) == (405, "POST"), door
        assert "This address is only for a button" in text(answer)


def test_an_address_for_machines_keeps_its_answer(client: Client) -> None:
    assert "button" not in text(client.get("/oauth/disabled", {"method": "x"}))


def token_of(answer: Any) -> str:
    found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', text(answer))
    assert found is not None
    return found[1]


def test_a_form_from_before_the_login_in_another_tab_says_how_not_to_lose_it(admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.post("/login/", PASSWORD | {"csrfmiddlewaretoken": token_of(client.get("/login/"))})
    old = token_of(client.get("/settings/"))
    client.post("/logout/", {"csrfmiddlewaretoken": old})
    client.post("/login/", PASSWORD | {"csrfmiddlewaretoken": token_of(client.get("/login/"))})
    answer = client.post("/drift/check", {"csrfmiddlewaretoken": old})
    assert answer.status_code == 403
    assert "copy what you entered" in text(answer)


def test_without_cookies_the_login_says_so(admin_user: User) -> None:
    answer = Client(enforce_csrf_checks=True).post(reverse("syncing:login"), PASSWORD)
    assert answer.status_code == 403
    assert "Allow cookies for this address" in text(answer)


def test_an_address_that_is_not_trusted_is_named(admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    sent = PASSWORD | {"csrfmiddlewaretoken": token_of(client.get("/login/"))}
    answer = client.post("/login/", sent, headers={"origin": "https://sync.example.com"})
    assert answer.status_code == 403
    assert "https://sync.example.com" in text(answer)
    assert "CSRF_TRUSTED_ORIGINS" in text(answer)
