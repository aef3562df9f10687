"""The list of people: who has a second factor, and who resets that of another; and the command that does."""

import html
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from syncing.models import AuditEntry, SecondFactor
from syncing.tests.second_factor import Phone, browser, give_password, is_let_in, logged_in, person

pytestmark = pytest.mark.django_db
LIST = reverse("admin:auth_user_changelist")


@pytest.fixture
def phone() -> Phone:
    return Phone.of(person())


def reset(client: Client, *people: User, confirmed: bool = True) -> str:
    form = {"action": "reset_second_factors", "_selected_action": [each.pk for each in people]}
    answer = client.post(LIST, {**form, **({"confirmed": "yes"} if confirmed else {})}, follow=True)
    return html.unescape(answer.content.decode())


def told() -> list[tuple[str, str, dict[str, Any]]]:
    return list(
        AuditEntry.objects.filter(action__in=["factor_off", "session"]).values_list("action", "actor", "details")
    )


def test_the_list_shows_who_has_one(phone: Phone, admin_client: Client, django_assert_num_queries: Any) -> None:
    person("ben")
    page = admin_client.get(LIST).content.decode()
    assert page.count('alt="True"') == 3 + 1  # staff, and anna's second factor
    secret = phone.factor.key
    for path in (LIST, reverse("admin:auth_user_change", args=[phone.user.pk])):
        assert secret not in admin_client.get(path).content.decode()


def test_an_administrator_resets_it_after_a_question(phone: Phone, admin_client: Client) -> None:
    theirs = logged_in(phone)
    page = reset(admin_client, phone.user, confirmed=False)
    assert "Their passwords alone let these people in then:" in page
    assert SecondFactor.objects.exists()
    page = reset(admin_client, phone.user)
    assert "The second factor of anna was reset, and all their sessions were ended." in page
    assert not SecondFactor.objects.exists()
    assert not is_let_in(theirs)
    assert [(action, actor, details["user"]) for action, actor, details in told()] == [
        ("session", "admin", "anna"),
        ("factor_off", "admin", "anna"),
    ]
    again = browser()
    give_password(again)
    assert is_let_in(again)


def test_the_form_of_a_person_and_the_list_of_people_offer_it_to_who_has_one(
    phone: Phone, admin_client: Client
) -> None:
    ben = person("ben")
    forms = [
        admin_client.get(reverse("admin:auth_user_change", args=[each.pk])).content.decode()
        for each in (phone.user, ben)
    ]
    assert ["Reset the second factor" in form for form in forms] == [True, False]
    assert admin_client.get("/settings/people/").content.decode().count(">second factor<") == 1


def test_of_who_has_none_it_says_so(phone: Phone, admin_client: Client) -> None:
    page = reset(admin_client, phone.user, person("ben"))
    assert "The second factor of anna was reset" in page
    assert "Ben has no second factor. Nothing was changed." in page


def test_who_may_only_see_people_resets_nothing(phone: Phone) -> None:
    person("ben", "view_user")
    client = browser()
    give_password(client, "ben")
    assert "reset_second_factors" not in client.get(LIST).content.decode()
    reset(client, phone.user)
    assert SecondFactor.objects.exists()


def test_the_admin_has_no_page_of_the_keys(phone: Phone, admin_client: Client) -> None:
    assert "secondfactor" not in admin_client.get("/settings/data/").content.decode()
    assert admin_client.get(f"/syncing/secondfactor/{phone.factor.pk}/change/").status_code == 404


def test_the_command_resets_it_and_is_in_the_audit(phone: Phone) -> None:
    theirs, said = logged_in(phone), io.StringIO()
    call_command("reset_second_factor", "anna", stdout=said)
    assert said.getvalue() == "anna has no second factor now, and all their sessions were ended.\n"
    assert not is_let_in(theirs)
    assert ("factor_off", "command line", {"user": "anna"}) in told()


@pytest.mark.parametrize(
    ("name", "said"), [("nobody", "There is no user 'nobody'."), ("admin", "admin has no second factor.")]
)
def test_the_command_says_why_it_does_nothing(admin_user: User, name: str, said: str) -> None:
    with pytest.raises(CommandError, match=said) as error:
        call_command("reset_second_factor", name)
    assert error.value.returncode == 2
