"""Schedules, windows and pauses through REST: the documents of the commands, by keys that may."""

import json
from datetime import timedelta
from datetime import timezone as dt_timezone
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AuditEntry, Schedule, Window
from syncing.selectors.schedules import schedule_document
from syncing.selectors.windows import window_document
from syncing.services.keys import create_key

SCHEDULES, WINDOWS, PAUSE, RESUME = (f"/api/sync/{name}" for name in ("schedules", "windows", "pause", "resume"))
NIGHT = {"kind": "drift", "cron": "0 3 * * *"}
WEEKEND = {"kind": "deny", "cron": "0 18 * * 5", "minutes": 3720}


@pytest.fixture
def cast(db: None) -> dict[str, Account]:
    return AccountFactory.cast(GroupFactory(time_zone="America/Sao_Paulo"))


def ask(method: str, path: str, body: Any = None, scope: str = "trigger", maker: User | None = None) -> Any:
    name = f"key {User.objects.count()} {AuditEntry.objects.count()}"
    headers = {"Authorization": f"Bearer {create_key(name=name, scopes=[scope], maker=maker)[1]}"}
    data = {} if body is None else {"data": json.dumps(body)}
    return Client().generic(method, path, content_type="application/json", headers=headers, **data)


def code(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def clerk(*codenames: str) -> User:
    user = User.objects.create_user(f"clerk {User.objects.count()}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=user.pk)


def test_a_schedule_is_added_listed_and_removed(cast) -> None:
    added = ask("POST", SCHEDULES, {**NIGHT, "group": "Branches", "time_zone": "Europe/Lisbon", "grace": 5})
    schedule = Schedule.objects.get()
    assert (added.status_code, added.json()) == (201, schedule_document(schedule))
    assert (schedule.grace, schedule.zone, schedule.next_at is not None) == (5, "Europe/Lisbon", True)

    listed = ask("GET", SCHEDULES, scope="read").json()
    assert listed == {"schedules": [{**schedule_document(schedule), "problem": ""}], "next": None}

    removed = ask("DELETE", f"{SCHEDULES}/{schedule.pk}")
    assert (removed.status_code, removed.json()["id"]) == (200, schedule.pk)
    assert not Schedule.objects.exists()
    entries = AuditEntry.objects.filter(action="automation")
    assert {entry.via for entry in entries} == {"api"}


def test_a_window_is_added_listed_and_removed(cast) -> None:
    added = ask("POST", WINDOWS, WEEKEND)
    window = Window.objects.get()
    assert (added.status_code, added.json()) == (201, window_document(window))
    assert ask("GET", WINDOWS, scope="read").json() == {"windows": [window_document(window)], "next": None}
    assert ask("DELETE", f"{WINDOWS}/{window.pk}").status_code == 200
    assert not Window.objects.exists()


def test_a_list_can_be_of_one_group(cast) -> None:
    GroupFactory(name="Others")
    ask("POST", SCHEDULES, {**NIGHT, "group": "Others"})
    ask("POST", WINDOWS, {**WEEKEND, "group": "Others"})
    for path, name in ((SCHEDULES, "schedules"), (WINDOWS, "windows")):
        assert ask("GET", f"{path}?group=Branches", scope="read").json() == {name: [], "next": None}
        assert len(ask("GET", f"{path}?group=Others", scope="read").json()[name]) == 1
        assert code(ask("GET", f"{path}?group=Nobody", scope="read")) == "unknown_group"


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        (SCHEDULES, {**NIGHT, "cron": "0 3 * *"}, "bad_cron"),
        (SCHEDULES, {"kind": "drift"}, "bad_cron"),
        (SCHEDULES, {**NIGHT, "cron": ["0 3 * * *"]}, "bad_cron"),
        (SCHEDULES, {**NIGHT, "cron": "0 3 * * \x00"}, "bad_cron"),
        (SCHEDULES, {**NIGHT, "kind": "sync"}, "bad_kind"),
        (SCHEDULES, {**NIGHT, "time_zone": "Mars"}, "bad_time_zone"),
        (SCHEDULES, {**NIGHT, "grace": "60"}, "bad_grace"),
        (SCHEDULES, {**NIGHT, "grace": True}, "bad_grace"),
        (SCHEDULES, {**NIGHT, "grace": 10**40}, "bad_grace"),
        (SCHEDULES, {**NIGHT, "minutes": 5}, "unknown_key"),
        (SCHEDULES, {**NIGHT, "group": "Nobody"}, "unknown_group"),
        (WINDOWS, {"kind": "deny", "cron": "0 3 * * *"}, "bad_minutes"),
        (WINDOWS, {**WEEKEND, "minutes": 0}, "bad_minutes"),
        (PAUSE, {"accounts": ["north"]}, "bad_reason"),
        (PAUSE, {"accounts": ["north"], "reason": " "}, "bad_reason"),
        (PAUSE, {"accounts": ["north"], "reason": 5}, "bad_reason"),
        (PAUSE, {"accounts": [], "reason": "x"}, "bad_accounts"),
        (PAUSE, {"accounts": ["north", "nobody"], "reason": "x"}, "unknown_account"),
        (PAUSE, {"accounts": ["north", 7], "reason": "x"}, "unknown_account"),
        (PAUSE, {"accounts": ["north"], "reason": "x", "hours": "2"}, "bad_hours"),
        (PAUSE, {"accounts": ["north"], "reason": "x", "hours": True}, "bad_hours"),
        (PAUSE, {"accounts": ["north"], "reason": "x", "hours": 0}, "bad_hours"),
        (PAUSE, {"accounts": ["north"], "reason": "x", "hours": float("nan")}, "bad_hours"),
        (PAUSE, {"accounts": ["north"], "reason": "x", "until": 5}, "bad_until"),
        (PAUSE, {"accounts": ["north"], "reason": "x", "until": "noon"}, "bad_until"),
        (PAUSE, {"accounts": ["north"], "reason": "x", "until": "0001-01-01T00:00:00+15:00"}, "bad_until"),
        (PAUSE, {"accounts": ["north"], "reason": "x", "hours": 1, "until": "2099-01-01"}, "bad_until"),
        (PAUSE, {"group": "Nobody", "reason": "x"}, "unknown_group"),
        (RESUME, {"group": "Branches", "hours": 1}, "unknown_key"),
    ],
)
def test_what_is_wrong_is_a_400_and_sets_nothing(cast, path: str, body: dict[str, Any], error: str) -> None:
    answer = ask("POST", path, body)
    assert (answer.status_code, code(answer)) == (400, error)
    assert not Schedule.objects.exists()
    assert not Window.objects.exists()
    assert not Account.objects.filter(paused=True).exists()


@pytest.mark.parametrize("number", ["7", "9" * 30])
@pytest.mark.parametrize(("path", "error"), [(SCHEDULES, "no_such_schedule"), (WINDOWS, "no_such_window")])
def test_what_is_not_there_cannot_be_removed(cast, path: str, error: str, number: str) -> None:
    answer = ask("DELETE", f"{path}/{number}")
    assert (answer.status_code, code(answer)) == (404, error)


def test_accounts_are_paused_and_resumed(cast) -> None:
    answer = ask("POST", PAUSE, {"accounts": ["north", "south"], "reason": "moving", "until": "2999-01-01"})
    assert code(answer) == "bad_until"  # a year at most
    answer = ask("POST", PAUSE, {"accounts": ["north", "south"], "reason": "moving", "hours": 2})
    north = Account.objects.get(subdomain="north")
    assert answer.status_code == 200
    assert answer.json()["paused"][0] == {
        "account": "north",
        "until": north.paused_until.isoformat(),
        "reason": "moving",
    }
    assert (north.is_paused, north.paused_by[:3]) == (True, "key")

    answer = ask("POST", RESUME, {"accounts": ["north", "west"]})
    assert (answer.status_code, answer.json()) == (200, {"resumed": [{"account": "north"}]})


def test_the_end_of_a_pause_may_have_any_offset(cast) -> None:
    end = (timezone.now() + timedelta(days=2)).astimezone(dt_timezone(timedelta(hours=22, minutes=9)))
    answer = ask("POST", PAUSE, {"accounts": ["north"], "reason": "x", "until": end.isoformat()})
    assert answer.status_code == 200
    assert answer.json()["paused"][0]["until"].endswith("+00:00")  # PostgreSQL knows no such offset
    assert Account.objects.get(subdomain="north").paused_until == end


def test_a_group_is_paused_and_resumed(cast) -> None:
    answer = ask("POST", PAUSE, {"group": "Branches", "reason": "holidays"})
    assert [each["group"] for each in answer.json()["paused"]] == ["Branches"]
    assert SyncGroup.objects.get().is_paused
    assert ask("POST", RESUME).json() == {"resumed": [{"group": "Branches"}]}


def test_a_key_may_no_more_than_its_maker(cast) -> None:
    groups, accounts = clerk("change_syncgroup", "view_syncgroup"), clerk("change_account")
    assert ask("POST", SCHEDULES, NIGHT, maker=groups).status_code == 201
    number = Schedule.objects.get().pk
    assert ask("POST", PAUSE, {"accounts": ["north"], "reason": "x"}, maker=accounts).status_code == 200
    refused = [
        ask("POST", SCHEDULES, NIGHT, maker=accounts),
        ask("DELETE", f"{SCHEDULES}/{number}", maker=accounts),
        ask("POST", WINDOWS, WEEKEND, maker=accounts),
        ask("POST", PAUSE, {"reason": "x"}, maker=accounts),
        ask("POST", PAUSE, {"accounts": ["north"], "reason": "x"}, maker=groups),
        ask("POST", RESUME, {"accounts": ["north"]}, maker=groups),
        ask("GET", SCHEDULES, scope="read", maker=accounts),
    ]
    assert [(answer.status_code, code(answer)) for answer in refused] == [(403, "not_allowed")] * 7


@pytest.mark.parametrize(
    ("method", "path"), [("POST", SCHEDULES), ("POST", WINDOWS), ("POST", PAUSE), ("POST", RESUME)]
)
def test_a_key_that_may_only_read_changes_nothing(cast, method: str, path: str) -> None:
    answer = ask(method, path, {}, scope="read")
    assert (answer.status_code, code(answer)) == (403, "no_scope")


def test_another_method_is_told_the_right_ones(cast) -> None:
    allowed = {path: ask("PUT", path)["Allow"] for path in (SCHEDULES, WINDOWS, PAUSE, f"{WINDOWS}/1")}
    assert allowed == {SCHEDULES: "GET, POST", WINDOWS: "GET, POST", PAUSE: "POST", f"{WINDOWS}/1": "DELETE"}
