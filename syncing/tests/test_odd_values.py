"""Odd values in the admin's lists and forms: each is answered with a sentence, none with an error page."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts.models import Account, ConnectionCheck
from syncing.models import AuditEntry, Schedule, Window
from syncing.tests.test_roles import Scene

pytestmark = pytest.mark.django_db
HUGE = "1" + "0" * 30


def lists() -> Iterator[tuple[str, Any]]:
    """The addresses of the admin's lists, with what stands behind each."""
    reverse("admin:index")  # loads them
    for model, model_admin in list(admin.site._registry.items()):
        try:
            yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"), model_admin
        except NoReverseMatch:
            continue


def text(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.mark.parametrize("q", ["_" * 30_000, "%" * 9_000, "\\" * 9_000])
def test_a_search_of_any_length_is_answered(admin_client: Client, q: str) -> None:
    Scene()
    for url, _model_admin in lists():
        assert admin_client.get(url, {"q": q}).status_code == 200, url


@pytest.mark.skipif(connection.vendor != "sqlite", reason="others find nothing")
def test_a_number_that_is_too_large_is_left_out_of_a_list_and_named(admin_client: Client) -> None:
    Scene()
    for url in ("/syncing/schedule/", "/syncing/syncrun/"):
        answer = admin_client.get(url, {"group": HUGE}, follow=True)
        assert answer.status_code == 200
        assert f"left out: group={HUGE}" in text(answer)


@pytest.mark.parametrize("key", ["abc", HUGE, "\x00", "-1", ""])
def test_an_action_on_rows_that_are_none_does_nothing_and_says_so(admin_client: Client, key: str) -> None:
    Scene()
    north, before = Account.objects.get(subdomain="north").pk, AuditEntry.objects.count()
    for url, model_admin in lists():
        for action in () if model_admin.actions is None else (*model_admin.actions, "delete_selected"):
            name = getattr(action, "__name__", action)
            sent = {"action": name, ACTION_CHECKBOX_NAME: [north, key], "confirmed": "yes", "post": "yes"}
            answer = admin_client.post(url, sent, follow=True)
            assert answer.status_code == 200, (url, name)
            assert "Nothing was done" in text(answer), (url, name)
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("field", ["groups", "user_permissions"])
@pytest.mark.parametrize("key", ["abc", HUGE, "\x00"])
def test_a_role_that_is_none_is_an_error_of_the_form(admin_client: Client, field: str, key: str) -> None:
    ana = User.objects.create_user("ana")
    answer = admin_client.post(reverse("admin:auth_user_change", args=[ana.pk]), {"username": "ana", field: [key]})
    assert answer.status_code == 200
    assert "Select a valid choice" in text(answer)


@pytest.mark.parametrize("part", ["delete", "history", "change"])
def test_a_row_whose_number_is_too_large_is_not_there(admin_client: Client, part: str) -> None:
    Scene()
    for url, _model_admin in lists():
        assert admin_client.get(f"{url}{HUGE}/{part}/").status_code in (302, 403, 404), url


@pytest.mark.parametrize("number", [99, 2**63])
def test_no_check_is_repeated_that_is_not_there(admin_client: Client, number: int) -> None:
    assert admin_client.post(f"/accounts/checks/{number}/again").status_code == 404
    assert not ConnectionCheck.objects.exists()


# -- twice --


@pytest.mark.parametrize(
    ("what", "facts"),
    [
        ("schedule", {"kind": "drift", "repeat": "day", "time": "05:00", "grace": "60"}),
        ("window", {"kind": "deny", "repeat": "day", "time": "05:00", "hours": "1"}),
    ],
)
def test_what_is_added_by_two_clicks_is_there_once(admin_client: Client, what: str, facts: dict[str, str]) -> None:
    scene = Scene()
    model = {"schedule": Schedule, "window": Window}[what]
    url = reverse(f"syncing:automation_add_{what}", args=[scene.group.pk])
    assert admin_client.post(url, facts).status_code == 302
    number = model._default_manager.count()
    answer = admin_client.post(url, facts)
    assert f"has this {what} already" in text(answer)
    in_data = {"group": scene.group.pk, "kind": facts["kind"], "cron": "0 5 * * *", "grace": "60", "minutes": "60"}
    answer = admin_client.post(reverse(f"admin:syncing_{what}_add"), in_data | {"enabled": "on"})
    assert f"has this {what} already" in text(answer)
    assert model._default_manager.count() == number


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_on_save_end_in_no_error(admin_user: User) -> None:
    scene = Scene()
    sent = {"subdomain": "new", "name": "New", "group": scene.group.pk, "role": "slave"}
    clients, together = [Client(), Client(), Client()], Barrier(3)
    for client in clients:
        client.force_login(admin_user)

    def click(client: Client) -> int:
        try:
            together.wait()
            return client.post("/accounts/account/add/", sent).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        answers = sorted(pool.map(click, clients))

    assert answers == [200, 200, 302]
    assert Account.objects.filter(subdomain="new").count() == 1
