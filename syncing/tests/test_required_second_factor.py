"""REQUIRE_2FA: who has no second factor sets one up, and nothing else; whoever has one notices nothing."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import Account
from syncing.models import AuditEntry, SecondFactor, SyncRun
from syncing.operations import setup_steps
from syncing.services.keys import create_key
from syncing.services.roles import make_roles
from syncing.tests.second_factor import (
    LOGIN,
    PAGE,
    PASSWORD,
    Phone,
    app_code,
    browser,
    give_password,
    is_let_in,
    logged_in,
    person,
)
from syncing.tests.test_roles import DOORS, Scene

pytestmark = pytest.mark.django_db
OPEN = {"syncing:second_factor", "syncing:begin_second_factor", "syncing:set_up_second_factor"}
BEGIN, SET_UP, LOGOUT = reverse("syncing:begin_second_factor"), reverse("syncing:set_up_second_factor"), "/logout/"


@pytest.fixture(autouse=True)
def required(settings: Settings) -> None:
    settings.REQUIRE_2FA = True


@pytest.fixture
def superuser() -> User:
    return User.objects.create_superuser("anna", "", PASSWORD)


@pytest.fixture
def without(superuser: User) -> Client:
    """The browser of somebody who may everything, and has no second factor."""
    client = browser()
    give_password(client)
    return client


def text(response: Any) -> str:
    return str(response.content.decode())


def test_after_the_login_it_leads_to_setting_up(superuser: User) -> None:
    client = browser()
    answer = client.post(LOGIN, {"username": "anna", "password": PASSWORD, "next": "/runs/"}, follow=True)
    assert answer.redirect_chain[-1] == (PAGE, 302)
    shown = text(answer)
    assert "until then you can do nothing else" in shown
    assert "ks-nav" not in shown  # nothing is offered that is refused
    assert LOGOUT in shown


def test_every_page_and_button_is_closed_but_those_to_set_it_up(without: Client) -> None:
    scene, opened = Scene(), []
    for name, methods in DOORS.items():
        for method in methods:
            ask = without.get if method == "GET" else without.post
            with transaction.atomic():
                answer = ask(scene.url(name), scene.data(name) if method == "POST" else {})
                transaction.set_rollback(True)
            if answer.status_code != 302 or not answer["Location"].startswith(LOGIN):
                opened.append(name)
    assert set(opened) == OPEN
    assert is_still_as_it_was(scene)


def is_still_as_it_was(scene: Scene) -> bool:
    return SyncRun.objects.count() == 2 and not Account.objects.filter(paused=True).exists()


def test_forms_of_the_admin_and_uploads_are_closed(without: Client) -> None:
    make_roles()
    row = Group.objects.get(name="viewer")
    sent = [
        ("/auth/group/add/", {"name": "thieves"}),
        (f"/auth/group/{row.pk}/delete/", {"post": "yes"}),
        ("/auth/user/", {"action": "delete_selected", "_selected_action": ["1"], "post": "yes"}),
        ("/password_change/", {"old_password": PASSWORD, "new_password1": "x" * 20, "new_password2": "x" * 20}),
        (reverse("syncing:end_other_sessions"), {}),
        (reverse("admin:accounts_account_import"), {"import_file": "x"}),
    ]
    for url, form in sent:
        assert without.post(url, form)["Location"].startswith(LOGIN), url
    assert not Group.objects.filter(name="thieves").exists()
    assert Group.objects.filter(pk=row.pk).exists()
    assert User.objects.get().check_password(PASSWORD)


def test_what_is_for_anybody_is_still_for_anybody(without: Client) -> None:
    assert without.get("/healthz").status_code == 200
    assert without.get("/api/docs").status_code == 200
    assert without.get(reverse("accounts:thanks")).status_code == 200
    secret = create_key(name="bot", scopes=["read"])[1]
    assert without.get("/api/sync/status", headers={"authorization": f"Bearer {secret}"}).status_code == 200


def test_with_a_second_factor_all_is_open(without: Client) -> None:
    without.post(BEGIN, {"proof": PASSWORD})
    answer = without.post(SET_UP, {"code": app_code(SecondFactor.objects.get())})
    assert answer.status_code == 200
    assert "ks-nav" in text(answer)
    assert is_let_in(without)
    assert "until then" not in text(without.get(PAGE))


def test_one_that_is_not_confirmed_is_none(without: Client) -> None:
    without.post(BEGIN, {"proof": PASSWORD})
    assert "ks-nav" not in text(without.get(SET_UP))
    assert not is_let_in(without)
    fresh = browser()
    give_password(fresh)
    assert not is_let_in(fresh)


def test_switching_it_off_means_setting_it_up_again() -> None:
    client = logged_in(Phone.of(person()))
    assert is_let_in(client)
    client.post(reverse("syncing:switch_second_factor_off"), {"proof": PASSWORD})
    assert not is_let_in(client)
    assert "nothing else" in text(client.get("/", follow=True))


def test_signing_out_works(without: Client) -> None:
    assert without.post(LOGOUT).status_code == 200
    assert not Session.objects.exists()


def test_it_holds_for_sessions_from_before_the_setting(settings: Settings) -> None:
    settings.REQUIRE_2FA = False
    person()
    client = browser()
    give_password(client)
    assert is_let_in(client)
    settings.REQUIRE_2FA = True
    assert not is_let_in(client)
    settings.REQUIRE_2FA = False
    assert is_let_in(client)


def test_setup_makes_its_superuser_who_then_sets_it_up() -> None:
    _step, password = setup_steps.superuser(new_password=False)
    client = browser()
    give_password(client, setup_steps.ADMIN, str(password))
    assert "nothing else" in text(client.get("/", follow=True))
    client.post(BEGIN, {"proof": password})
    client.post(SET_UP, {"code": app_code(SecondFactor.objects.get())})
    assert is_let_in(client)
    assert AuditEntry.objects.get(action="factor_on").actor == setup_steps.ADMIN
