"""Failed logins: who fails too often waits, from that address; the log and the audit tell, and an operator ends it."""

import logging
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from pytest_django import Settings

from syncing.addresses import client_address
from syncing.logins import UNKNOWN
from syncing.models import AuditEntry
from syncing.operations import doctor, setup_steps

pytestmark = pytest.mark.django_db
GOOD = "correct horse battery"


@pytest.fixture(autouse=True)
def anna() -> User:
    return User.objects.create_user("anna", password=GOOD, is_staff=True)


def login(name: str = "anna", password: str = "wrong", address: str = "198.51.100.7", **headers: str) -> HttpResponse:
    client = Client(REMOTE_ADDR=address, headers=headers)
    return client.post("/login/?next=/", {"username": name, "password": password})


def fail(times: int = 5, **kwargs: Any) -> list[int]:
    return [login(**kwargs).status_code for _ in range(times)]


def told() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor"))


def test_the_fifth_failure_locks_out_and_the_right_password_is_no_way_round() -> None:
    assert fail() == [200, 200, 200, 200, 429]
    response = login(password=GOOD)
    assert (response.status_code, response["Retry-After"]) == (429, "900")
    assert "Nobody can log in with this name from this address for 15 minutes." in response.content.decode()
    assert "sessionid" not in response.cookies


def test_another_address_and_another_name_are_not_locked_out() -> None:
    User.objects.create_user("ben", password=GOOD, is_staff=True)
    fail()
    assert login(password=GOOD, address="198.51.100.8").status_code == 302
    assert login("ben", GOOD).status_code == 302


def test_who_is_logged_in_stays_so() -> None:
    client = Client(REMOTE_ADDR="198.51.100.7")
    client.force_login(User.objects.get(username="anna"))
    fail()
    assert client.get("/").status_code == 200


def test_it_ends_after_15_minutes_even_if_somebody_goes_on_trying() -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        fail()
    with time_machine.travel(now + timedelta(minutes=14), tick=False):
        assert fail(20) == [429] * 20
    with time_machine.travel(now + timedelta(minutes=15, seconds=1), tick=False):
        assert login(password=GOOD).status_code == 302


def test_a_login_in_between_forgets_the_failures_before() -> None:
    assert fail(4) == [200] * 4
    assert login(password=GOOD).status_code == 302
    assert fail(4) == [200] * 4


def test_another_browser_is_the_same_person_failing() -> None:
    assert [login(**{"user-agent": f"browser {number}"}).status_code for number in range(5)] == [200] * 4 + [429]


def test_a_name_that_does_not_exist_is_answered_the_same() -> None:
    known, unknown = [], []
    for answers, name in ((known, "anna"), (unknown, "nobody")):
        answers.extend(login(name) for _ in range(6))
    assert [answer.status_code for answer in known] == [answer.status_code for answer in unknown]
    assert known[-1].content == unknown[-1].content


def test_the_page_speaks_the_language_of_the_browser() -> None:
    fail()
    assert 'lang="es"' in login(**{"accept-language": "es"}).content.decode()


def test_the_settings_say_how_often_and_how_long(settings: Settings) -> None:
    settings.AXES_FAILURE_LIMIT, settings.LOGIN_LOCK_MINUTES = 2, 7
    assert fail(2) == [200, 429]
    assert login()["Retry-After"] == "420"


# -- the log and the audit --


def test_the_log_and_the_audit_tell_every_failure_and_a_lock_out_once(caplog: pytest.LogCaptureFixture) -> None:
    fail(12)
    assert told() == [("bad_login", "anna")] * 4 + [("locked_out", "anna")]
    entry = AuditEntry.objects.latest("pk")
    assert (entry.via, entry.details) == ("admin", {"address": "198.51.100.7", "failures": 5})
    lines = [record.getMessage() for record in caplog.records if record.name == "syncing.logins"]
    assert lines[0] == "failed login: anna from 198.51.100.7 (failure 1)"
    assert lines[4:] == ["locked out: anna from 198.51.100.7 (failure 5)"]


def test_names_that_do_not_exist_cost_one_entry_and_are_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    for number in range(8):
        login(f"hunter{number}")
    login("hunter0", address="198.51.100.8")
    assert told() == [("bad_login", UNKNOWN)] * 2
    assert "hunter" not in caplog.text
    assert not any("hunter" in str(entry) for entry in AuditEntry.objects.values())


def test_a_login_that_works_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    login(password=GOOD)
    assert (told(), caplog.records) == ([], [])


def test_the_audit_page_names_them(admin_client: Client) -> None:
    fail()
    html = admin_client.get(reverse("admin:syncing_auditentry_changelist")).content.decode()
    assert "Failed to log in" in html
    assert "Was locked out" in html


def test_the_tables_that_count_are_no_pages_of_the_admin() -> None:
    with pytest.raises(NoReverseMatch):
        reverse("admin:axes_accessattempt_changelist")


@pytest.mark.parametrize(("sent", "code"), [({}, "no_key"), ({"authorization": "Bearer ks_guessed"}, "bad_key")])
def test_the_log_tells_a_call_of_the_api_without_a_good_key(
    client: Client, caplog: pytest.LogCaptureFixture, sent: dict[str, str], code: str
) -> None:
    client.get("/api/sync/status", headers=sent)
    assert f"REST API: {code} from 127.0.0.1" in caplog.text
    assert "guessed" not in caplog.text


# -- the operator --


def test_unlock_ends_it_and_is_in_the_audit(capsys: pytest.CaptureFixture[str]) -> None:
    fail()
    call_command("unlock", "anna", "ben")
    assert capsys.readouterr().out == "anna can log in again.\nben was not locked out.\n"
    assert login(password=GOOD).status_code == 302
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.actor, entry.details) == ("unlocked", "command line", {"user": "anna"})


def test_a_new_password_of_setup_unlocks() -> None:
    setup_steps.superuser(new_password=False)
    fail(name=setup_steps.ADMIN)
    _step, password = setup_steps.superuser(new_password=True)
    assert login(setup_steps.ADMIN, str(password)).status_code == 302


@pytest.mark.parametrize(("https", "proxies", "found"), [(True, 0, 1), (True, 1, 0), (False, 0, 0)])
def test_doctor_names_a_proxy_that_hides_the_visitors(
    settings: Settings, https: bool, proxies: int, found: int
) -> None:
    settings.HTTPS_ONLY, settings.PROXIES = https, proxies
    assert len(list(doctor.proxy())) == found


# -- the address --


@pytest.mark.parametrize(
    ("proxies", "forwarded", "connects", "address"),
    [
        (0, "", "198.51.100.7", "198.51.100.7"),
        (0, "203.0.113.9", "198.51.100.7", "198.51.100.7"),
        (1, "203.0.113.9", "127.0.0.1", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "127.0.0.1", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.2", "127.0.0.1", "203.0.113.9"),
        (1, "", "198.51.100.7", "198.51.100.7"),
        (3, "203.0.113.9", "127.0.0.1", "127.0.0.1"),
        (1, "nonsense", "127.0.0.1", "127.0.0.1"),
        (1, "203.0.113.9:4711", "127.0.0.1", "203.0.113.9"),
        (1, "[2001:db8:1:2:3::4]:4711", "::1", "2001:db8:1:2::"),
        (1, "2001:db8:1:2:ffff::9", "::1", "2001:db8:1:2::"),
        (0, "", "::ffff:198.51.100.7", "198.51.100.7"),
        (0, "", "", "0.0.0.0"),
    ],
)
def test_the_address_is_what_the_outermost_of_our_own_proxies_saw(
    settings: Settings, proxies: int, forwarded: str, connects: str, address: str
) -> None:
    settings.PROXIES = proxies
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert client_address(RequestFactory(REMOTE_ADDR=connects, headers=headers).get("/")) == address


def test_a_forged_address_is_no_way_round(settings: Settings) -> None:
    assert [login(**{"x-forwarded-for": f"6.6.6.{n}"}).status_code for n in range(5)] == [200] * 4 + [429]
    settings.PROXIES = 1
    answers = [login("ben", **{"x-forwarded-for": f"6.6.6.{n}, 203.0.113.9"}) for n in range(5)]
    assert answers[-1].status_code == 429


def test_what_a_person_may_by_themselves_and_by_roles_is_asked_for_once(django_assert_num_queries) -> None:
    anna = User.objects.create_user("carla", is_staff=True)
    own, by_role = (Permission.objects.get(codename=each) for each in ("view_account", "view_syncrun"))
    anna.user_permissions.add(own)
    for name in ("night", "day"):
        role = Group.objects.create(name=name)
        role.permissions.add(own, by_role)
        anna.groups.add(role)
    anna = User.objects.get(pk=anna.pk)
    with django_assert_num_queries(1):
        found = [anna.has_perm(each) for each in ("accounts.view_account", "syncing.view_syncrun", "auth.add_user")]
    assert found == [True, True, False]
    assert anna.get_all_permissions() == {"accounts.view_account", "syncing.view_syncrun"}
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert not User.objects.get(pk=anna.pk).has_perm("accounts.view_account")
