"""The login in two steps: no session before both are right, no way round, and failures of both are counted."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone
from time_machine import TimeMachineFixture

from syncing.logins import CODE_WITHIN
from syncing.models import AuditEntry, RecoveryCode
from syncing.services import second_factor
from syncing.services.actors import COMMAND
from syncing.tests.second_factor import (
    CODE,
    ELSEWHERE,
    HERE,
    LOGIN,
    PASSWORD,
    Phone,
    browser,
    give_code,
    give_password,
    is_let_in,
    logged_in,
    person,
)
from syncing.tests.test_secrets import columns

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(time_machine: TimeMachineFixture) -> TimeMachineFixture:
    time_machine.move_to(timezone.now().replace(second=0, microsecond=0), tick=False)
    return time_machine


@pytest.fixture
def phone(clock: TimeMachineFixture) -> Phone:
    return Phone.of(person())


def text(response: Any) -> str:
    return str(response.content.decode())


def told() -> list[tuple[str, str, dict[str, Any]]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor", "details"))


# -- both steps --


def test_who_has_none_logs_in_by_password_alone() -> None:
    person()
    client = browser()
    answer = give_password(client)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_let_in(client)


def test_the_password_alone_lets_nobody_in(phone: Phone) -> None:
    client = browser()
    answer = give_password(client)
    assert answer["Location"].partition("?")[0] == CODE
    assert "_auth_user_id" not in client.session
    for page in ("/", "/settings/", reverse("syncing:second_factor"), reverse("admin:auth_user_changelist")):
        assert client.get(page)["Location"].startswith(LOGIN)
    assert User.objects.get().last_login is None


def test_a_code_lets_in_and_the_session_has_a_new_key(phone: Phone) -> None:
    client = browser()
    give_password(client)
    before = client.session.session_key
    assert "one-time-code" in text(client.get(CODE))
    answer = give_code(client, phone.code())
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()
    assert "kommosync_first_step" not in client.session
    assert is_let_in(client)


def test_a_code_without_a_password_is_worth_nothing(phone: Phone) -> None:
    client = browser()
    assert give_code(client, phone.code())["Location"].startswith(LOGIN)
    assert client.get(CODE)["Location"].startswith(LOGIN)
    assert give_code(client, phone.code(), username="anna", password=PASSWORD)["Location"].startswith(LOGIN)
    assert not is_let_in(client)
    assert phone.factor.throttling_failure_count == 0  # nobody outside keeps the owner waiting


def test_the_password_step_of_one_is_none_for_another(phone: Phone) -> None:
    other = Phone.of(person("ben"))
    client = browser()
    give_password(client, "ben")
    assert "wrong" in text(give_code(client, phone.code(), username="anna"))
    assert not is_let_in(client)
    assert give_code(client, other.recovery_codes[0]).status_code == 302
    assert client.get("/").wsgi_request.user.username == "ben"


def test_a_planted_session_does_not_share_the_first_step(phone: Phone) -> None:
    attacker, victim = browser(ELSEWHERE), browser()
    give_password(attacker, password="wrong")
    attacker.get(reverse("accounts:thanks"))
    planted = attacker.session
    planted["something"] = "here"
    planted.save()
    attacker.cookies["sessionid"] = victim.cookies["sessionid"] = planted.session_key
    give_password(victim)
    assert victim.session.session_key != planted.session_key
    assert give_code(attacker, phone.code())["Location"].startswith(LOGIN)


@pytest.mark.parametrize("what", ["time", "password", "active", "staff", "factor"])
def test_the_first_step_does_not_last(phone: Phone, clock: TimeMachineFixture, what: str) -> None:
    client = browser()
    give_password(client)
    anna = User.objects.get()
    if what == "time":
        clock.shift(CODE_WITHIN + 1)
    elif what == "password":
        anna.set_password("another long password")
    elif what == "active":
        anna.is_active = False
    elif what == "staff":
        anna.is_staff = False
    else:
        second_factor.reset(anna, by=COMMAND)
    anna.save()
    code = phone.code() if what != "factor" else "123456"
    assert give_code(client, code)["Location"].startswith(LOGIN)
    assert not is_let_in(client)


def test_who_logs_in_as_another_is_no_longer_the_first(phone: Phone) -> None:
    person("ben")
    client = browser()
    give_password(client, "ben")
    give_password(client)
    assert client.get("/").wsgi_request.user.username == "ben"  # the second step is still missing
    give_code(client, phone.code())
    assert client.get("/").wsgi_request.user.username == "anna"


# -- where it leads --


def test_it_leads_to_the_page_that_was_asked_for(phone: Phone) -> None:
    client = browser()
    page = "/runs/?state=failed&q=a"
    answer = give_password(client, next_page=page)
    shown = client.get(answer["Location"])
    assert shown.context["next"] == page
    assert give_code(client, phone.code(), next=page)["Location"] == page


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_it_leads_to_no_other_host(phone: Phone, target: str) -> None:
    client = browser()
    answer = give_password(client, next_page=target)
    assert "evil" not in answer["Location"]
    assert "javascript" not in answer["Location"]
    assert "evil" not in text(client.get(CODE, {"next": target})).partition('name="next"')[2][:80]
    assert client.post(f"{CODE}?next={target}", {"code": phone.code(), "next": target})["Location"] == "/"


# -- wrong codes --


def test_wrong_codes_lock_out_as_wrong_passwords_do(phone: Phone, clock: TimeMachineFixture) -> None:
    client, statuses = browser(), []
    give_password(client, password="wrong")
    give_password(client)
    for _number in range(4):
        statuses.append(give_code(client, phone.wrong_code()).status_code)
        clock.shift(30)
    assert statuses == [200, 200, 200, 429]
    assert give_code(client, phone.code()).status_code == 429
    assert give_code(client, "", recovery_code=phone.recovery_codes[0]).status_code == 429
    assert give_password(client).status_code == 429
    assert not is_let_in(client)
    assert RecoveryCode.objects.count() == 10  # what was refused is not used up
    details = {"address": HERE, "step": "code"}
    assert told()[1:] == [
        ("bad_login", "anna", {"address": HERE, "failures": 1}),
        *(("bad_login", "anna", {**details, "failures": each}) for each in (2, 3, 4)),
        ("locked_out", "anna", {**details, "failures": 5}),
    ]


def test_the_password_again_forgets_no_wrong_code(phone: Phone, clock: TimeMachineFixture) -> None:
    statuses = []
    for _number in range(5):
        client = browser()
        give_password(client)
        statuses.append(give_code(client, phone.wrong_code()).status_code)
        clock.shift(60)
    assert statuses == [200, 200, 200, 200, 429]


def test_a_login_forgets_the_failures_before(phone: Phone, clock: TimeMachineFixture) -> None:
    client = browser()
    give_password(client)
    for _number in range(3):
        give_code(client, phone.wrong_code())
        clock.shift(30)
    assert give_code(client, phone.code()).status_code == 302
    again = browser()
    give_password(again)
    clock.shift(30)
    assert [give_code(again, phone.wrong_code()).status_code for _number in range(2)] == [200, 200]


def test_from_other_addresses_guessing_is_slowed_down_and_the_owner_gets_in(
    phone: Phone, clock: TimeMachineFixture
) -> None:
    looked_at = 0
    for number in range(60):  # a minute, an address each second
        client = browser(f"192.0.2.{number}")
        give_password(client)
        looked_at += "can be checked in" not in text(give_code(client, phone.wrong_code()))
        clock.shift(1)
    assert looked_at == 6
    owner = browser()
    give_password(owner)
    assert "can be checked in" in text(give_code(owner, phone.code()))
    assert give_code(owner, "", recovery_code=phone.recovery_codes[0]).status_code == 302
    assert is_let_in(owner)


def test_waiting_is_no_failure(phone: Phone) -> None:
    client = browser()
    give_password(client)
    statuses = [give_code(client, phone.wrong_code()).status_code for _number in range(20)]
    assert statuses == [200] * 20
    assert [action for action, *_more in told()] == ["factor_on", "bad_login"]


def test_unlock_ends_both(phone: Phone, clock: TimeMachineFixture, capsys: pytest.CaptureFixture[str]) -> None:
    client = browser()
    give_password(client)
    for _number in range(5):
        give_code(client, phone.wrong_code())
        clock.shift(30)
    call_command("unlock", "anna")
    assert capsys.readouterr().out == "anna can log in again.\n"
    give_password(client)
    assert give_code(client, phone.code()).status_code == 302


# -- once --


def test_a_code_of_the_app_logs_in_once(phone: Phone) -> None:
    code = phone.code()
    assert is_let_in(logged_in(phone))
    other = browser(ELSEWHERE)
    give_password(other)
    assert "was used already" in text(give_code(other, code))
    assert not is_let_in(other)


def test_a_recovery_code_logs_in_once_and_tells_how_many_are_left(phone: Phone) -> None:
    client = browser()
    give_password(client)
    answer = client.post(CODE, {"recovery_code": phone.recovery_codes[0]}, follow=True)
    assert "Each recovery code works only once. 9 recovery codes are left." in text(answer)
    other = browser(ELSEWHERE)
    give_password(other)
    assert "was used already" in text(other.post(CODE, {"recovery_code": phone.recovery_codes[0]}))
    assert not is_let_in(other)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["recovery", "app"])
def test_of_two_logins_with_one_code_at_once_one_gets_in(kind: str) -> None:
    phone = Phone.of(person())
    code = phone.recovery_codes[0] if kind == "recovery" else phone.next_code()
    clients = [browser(f"192.0.2.{number}") for number in range(4)]
    for client in clients:
        give_password(client)

    def enter(client: Client) -> bool:
        try:
            return give_code(client, code).status_code == 302
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(enter, clients)) == 1
    assert sum(is_let_in(client) for client in clients) == 1


# -- other doors --


def test_a_session_that_came_about_otherwise_lets_nobody_in(phone: Phone, client: Client) -> None:
    client.force_login(phone.user)
    assert client.get("/")["Location"].startswith(LOGIN)
    assert not Session.objects.exists()


def test_a_session_from_before_the_second_factor_lets_nobody_in_even_after_it(clock: TimeMachineFixture) -> None:
    anna = person()
    before = browser()
    give_password(before)
    phone = Phone.of(anna)
    assert not is_let_in(before)
    second_factor.reset(phone.user, by=COMMAND)
    assert not is_let_in(before)


def test_the_note_of_another_second_factor_proves_nothing(phone: Phone) -> None:
    client = logged_in(phone)
    session = client.session
    ben = Phone.of(person("ben"))
    session["otp_device_id"] = ben.factor.persistent_id
    session.save()
    assert not is_let_in(client)


def test_a_name_from_the_web_server_lets_nobody_in(phone: Phone) -> None:
    for name in ("REMOTE_USER", "HTTP_REMOTE_USER", "HTTP_X_REMOTE_USER"):
        assert Client(**{name: "anna"}).get("/")["Location"].startswith(LOGIN)


def test_there_is_no_other_way_to_log_in() -> None:
    def views(resolver: Any) -> Any:
        for each in resolver.url_patterns:
            yield from views(each) if hasattr(each, "url_patterns") else [each]

    names = {str(each.pattern) for each in views(get_resolver()) if "login" in f"{each.pattern} {each.name}"}
    assert names == {"login/", "login/code"}
    assert Client().get("/password_reset/").status_code in (302, 404)
    assert Client().get("/accounts/login/").status_code in (302, 404)


def test_changing_the_password_keeps_this_session_and_the_second_factor(phone: Phone) -> None:
    client, new = logged_in(phone), "another correct horse"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/password_change/", form).status_code == 302
    assert is_let_in(client)
    other = browser()
    give_password(other, password=new)
    assert not is_let_in(other)


def test_no_code_is_kept_of_a_login_that_failed(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    client = browser()
    give_password(client)
    almost = phone.recovery_codes[0][:-1]
    give_code(client, "", recovery_code=almost)
    give_code(client, "987654")
    assert '"recovery_code' not in (stored := columns())
    for secret in (almost, almost.replace("-", ""), "987654", PASSWORD):
        assert secret not in stored
        assert secret not in caplog.text


def test_the_error_page_of_a_developer_hides_the_code(phone: Phone) -> None:
    client = browser()
    give_password(client)
    request = client.post(CODE, {"code": "987654"}).wsgi_request
    assert request.sensitive_post_parameters == "__ALL__"


def test_what_it_asks_is_said_in_the_language_of_the_browser(phone: Phone) -> None:
    client = browser(**{"accept-language": "es"})
    give_password(client)
    assert 'lang="es"' in text(client.get(CODE))


def test_an_old_step_is_over_by_itself(phone: Phone, clock: TimeMachineFixture) -> None:
    client = browser()
    give_password(client)
    clock.shift(timedelta(days=-1))  # the server's clock was set back
    assert client.get(CODE)["Location"].startswith(LOGIN)
