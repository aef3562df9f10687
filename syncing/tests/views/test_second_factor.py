"""One's own second factor on its pages: who sees the key, what asks for the password again, what is told."""

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from time_machine import TimeMachineFixture

from syncing.models import AuditEntry, RecoveryCode, SecondFactor
from syncing.tests.second_factor import (
    PAGE,
    PASSWORD,
    Phone,
    app_code,
    browser,
    give_code,
    give_password,
    is_let_in,
    logged_in,
    person,
)

pytestmark = pytest.mark.django_db
BEGIN, SET_UP, CODES, OFF = (
    reverse(f"syncing:{name}")
    for name in ("begin_second_factor", "set_up_second_factor", "make_recovery_codes", "switch_second_factor_off")
)


@pytest.fixture
def clock(time_machine: TimeMachineFixture) -> TimeMachineFixture:
    time_machine.move_to(timezone.now().replace(second=0, microsecond=0), tick=False)
    return time_machine


@pytest.fixture
def anna(clock: TimeMachineFixture) -> Client:
    """The browser of somebody who has logged in, and has no second factor."""
    person()
    client = browser()
    give_password(client)
    return client


@pytest.fixture
def phone(clock: TimeMachineFixture) -> Phone:
    return Phone.of(person())


def text(response: Any) -> str:
    return html.unescape(response.content.decode())


def codes_on(response: Any) -> list[str]:
    return re.findall(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b", text(response))


def test_it_is_set_up_in_four_steps(anna: Client) -> None:
    assert "Set up" in text(anna.get(PAGE))
    assert anna.post(BEGIN, {"proof": PASSWORD})["Location"] == SET_UP
    shown = text(anna.get(SET_UP))
    factor = SecondFactor.objects.get()
    assert f"secret={factor.key}" in shown
    assert 'class="ks-qr"' in shown
    assert " style=" not in shown
    before = anna.session.session_key

    answer = anna.post(SET_UP, {"code": app_code(factor)})

    assert len(codes_on(answer)) == RecoveryCode.objects.count() == 10
    assert "Your second factor is on. All your other sessions were ended." in text(answer)
    assert anna.session.session_key != before
    assert is_let_in(anna)
    assert codes_on(anna.get(PAGE)) == []
    assert "10 recovery codes are left" in text(anna.get(PAGE))
    assert factor.key not in text(anna.get(SET_UP, follow=True))
    assert [entry.action for entry in AuditEntry.objects.all()] == ["factor_on"]


def test_a_wrong_code_says_so_and_the_key_stays(anna: Client) -> None:
    anna.post(BEGIN, {"proof": PASSWORD})
    key = SecondFactor.objects.get().key
    for wrong in ("", "abc", app_code(SecondFactor.objects.get(), steps=9)):
        answer = anna.post(SET_UP, {"code": wrong})
        assert "errorlist" in text(answer)
        assert f"secret={key}" in text(answer)
    assert not SecondFactor.objects.get().confirmed
    assert is_let_in(anna)


def test_only_the_session_that_gave_the_password_sees_the_key(anna: Client) -> None:
    other = browser()
    give_password(other)
    anna.post(BEGIN, {"proof": PASSWORD})
    factor = SecondFactor.objects.get()
    assert other.get(SET_UP)["Location"] == PAGE
    assert other.post(SET_UP, {"code": app_code(factor)})["Location"] == PAGE
    assert "This set-up was ended" in text(other.get(PAGE))
    assert not SecondFactor.objects.get().confirmed


def test_setting_it_up_ends_the_other_sessions_of_the_person_alone(anna: Client) -> None:
    person("ben")
    phone, ben = browser(), browser()
    give_password(phone), give_password(ben, "ben")
    anna.post(BEGIN, {"proof": PASSWORD})
    anna.post(SET_UP, {"code": app_code(SecondFactor.objects.get())})
    assert Session.objects.count() == 2
    assert [entry.details["user"] for entry in AuditEntry.objects.filter(action="session")] == ["anna"]
    assert [is_let_in(each) for each in (anna, phone, ben)] == [True, False, True]


@pytest.mark.parametrize("act", [BEGIN, CODES, OFF])
@pytest.mark.parametrize("proof", [None, "", "wrong", "123456"])
def test_nothing_changes_without_the_password_or_a_code(clock: TimeMachineFixture, act: str, proof: str | None) -> None:
    if act == BEGIN:
        person()
        client = browser()
        give_password(client)
    else:
        client = logged_in(Phone.of(person()))
    before = list(SecondFactor.objects.values_list("pk", "confirmed")), list(RecoveryCode.objects.values())
    answer = client.post(act, {} if proof is None else {"proof": proof}, follow=True)
    assert "wrong" in text(answer)
    after = list(SecondFactor.objects.values_list("pk", "confirmed")), list(RecoveryCode.objects.values())
    assert after == before


def test_a_recovery_code_is_no_proof_for_a_change(phone: Phone) -> None:
    client = logged_in(phone)
    client.post(OFF, {"proof": phone.recovery_codes[0]})
    assert SecondFactor.objects.exists()
    assert RecoveryCode.objects.count() == 10


def test_new_recovery_codes_are_shown_once(phone: Phone) -> None:
    client = logged_in(phone)
    answer = client.post(CODES, {"proof": PASSWORD})
    shown = codes_on(answer)
    assert len(shown) == 10
    assert not set(shown) & set(phone.recovery_codes)
    assert "The old ones no longer work." in text(answer)
    other = browser()
    give_password(other)
    assert not is_let_in(other)
    give_code(other, "", recovery_code=phone.recovery_codes[0])
    assert not is_let_in(other)
    give_code(other, "", recovery_code=shown[0])
    assert is_let_in(other)


@pytest.mark.parametrize("by", ["password", "code"])
def test_it_is_switched_off_by_password_or_code(phone: Phone, by: str) -> None:
    client = logged_in(phone)
    answer = client.post(OFF, {"proof": PASSWORD if by == "password" else phone.next_code()}, follow=True)
    assert "Your second factor is off" in text(answer)
    assert not SecondFactor.objects.exists()
    assert is_let_in(client)
    other = browser()
    give_password(other)
    assert is_let_in(other)


def test_the_code_of_the_login_is_no_proof_again(phone: Phone) -> None:
    code = phone.next_code()
    client = logged_in(phone)
    client.post(OFF, {"proof": code})
    assert SecondFactor.objects.exists()


def test_who_found_an_open_browser_tries_five_passwords_and_no_more(phone: Phone) -> None:
    client = logged_in(phone)
    statuses = [client.post(OFF, {"proof": f"wrong {number}"}).status_code for number in range(6)]
    assert statuses == [302, 302, 302, 302, 429, 429]
    assert client.post(OFF, {"proof": PASSWORD}).status_code == 429
    assert SecondFactor.objects.exists()
    assert is_let_in(client)  # only changes are locked


def test_the_pages_are_never_kept_by_the_browser(phone: Phone, clock: TimeMachineFixture) -> None:
    client = logged_in(phone)
    assert "no-store" in client.get(PAGE)["Cache-Control"]
    assert "no-store" in client.post(CODES, {"proof": PASSWORD})["Cache-Control"]


def test_acts_are_no_links(phone: Phone) -> None:
    client = logged_in(phone)
    assert [client.get(each).status_code for each in (BEGIN, CODES, OFF)] == [405] * 3


def test_settings_and_the_menu_lead_there(anna: Client) -> None:
    assert text(anna.get("/settings/")).count(f'href="{PAGE}"') == 2


def test_an_app_tells_installations_apart(anna: Client) -> None:
    anna.post(BEGIN, {"proof": PASSWORD})
    shown = text(anna.get(SET_UP, headers={"host": "localhost:8000"}))
    assert "otpauth://totp/KommoSync%3Aanna%40localhost?secret=" in shown
    assert "issuer=KommoSync" in shown


def test_a_person_who_is_deleted_takes_it_along(phone: Phone) -> None:
    User.objects.get().delete()
    assert (SecondFactor.objects.count(), RecoveryCode.objects.count()) == (0, 0)
