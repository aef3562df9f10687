"""While the database does not serve: what is answered, what the log says, and how commands end."""

import errno
import io
import json
import logging
import sqlite3
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import AccountFactory
from syncing.logs import DatabaseTroubleOnce
from syncing.services.keys import create_key, make_webhook_token

pytestmark = pytest.mark.django_db

CAUSES = {"database is locked": "database_locked", "database or disk is full": "disk_full"}


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(name='bot', scopes=['read', 'trigger'])[1]}"}


@pytest.fixture(params=CAUSES)
def cause(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def failing(cause: str) -> Any:
    """From now on the database answers nothing but this."""

    def refuse(execute: object, sql: str, *args: object) -> None:
        raise OperationalError(cause) from sqlite3.OperationalError(cause)

    return connection.execute_wrapper(refuse)


def assert_says_when_to_ask_again(answer: Any, code: str) -> None:
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert answer["Content-Type"] == "application/problem+json"
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["remedy"]


def test_the_api_answers_503_in_json(client: Client, headers: dict[str, str], cause: str) -> None:
    with failing(cause):
        answers = [client.get("/api/sync/status", headers=headers), client.get("/api/sync/runs/1", headers=headers)]
        body = json.dumps({"sync_type": "full"})
        answers.append(client.post("/api/sync/trigger", body, content_type="application/json", headers=headers))

    for answer in answers:
        assert_says_when_to_ask_again(answer, CAUSES[cause])


def test_the_webhook_answers_503_in_json(client: Client, cause: str) -> None:
    token = make_webhook_token(AccountFactory.cast()["master"].group)
    with failing(cause):
        answer = client.post(f"/api/sync/webhook/{token}", "{}", content_type="application/json")

    assert_says_when_to_ask_again(answer, CAUSES[cause])


def test_it_is_alive_and_not_ready_and_says_why(client: Client, cause: str) -> None:
    with failing(cause):
        alive, ready = client.get("/healthz"), client.get("/readyz")

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert int(ready["Retry-After"]) > 0
    assert ("locked" in ready.json()["problems"][0]) == ("locked" in cause)


def test_readyz_is_not_satisfied_with_a_database_that_can_only_be_read(client: Client) -> None:
    def refuse_writes(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith(("UPDATE", "INSERT")):
            raise OperationalError("attempt to write a readonly database")
        return execute(sql, *args)

    with connection.execute_wrapper(refuse_writes):
        answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "can only be read" in answer.json()["problems"][0]


def test_readyz_leaves_the_patience_of_the_connection_as_it_was(client: Client) -> None:
    def patience() -> int:
        with connection.cursor() as cursor:
            return int(cursor.execute("PRAGMA busy_timeout").fetchone()[0])

    before = patience()
    assert client.get("/readyz").status_code == 200
    assert patience() == before


def test_a_page_says_it_without_a_traceback(client: Client, admin_user: Any, cause: str) -> None:
    client.force_login(admin_user)
    with failing(cause):
        answer = client.get(reverse("admin:index"))

    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    page = answer.content.decode()
    assert ("locked" in page) == ("locked" in cause)
    assert "Traceback" not in page


def test_another_error_stays_a_500(client: Client, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr("syncing.api.runs.run_document", fail)
    monkeypatch.setattr("syncing.api.bearer.keys.touch", fail)
    answer = client.get("/api/sync/status", headers=headers)

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "Retry-After" not in answer
    assert "secret" not in answer.content.decode()


# -- the log --


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the handler of the settings writes, as if nothing had been said yet."""
    (handler,) = (each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler)
    written = io.StringIO()
    monkeypatch.setattr(handler, "stream", written)
    for each in handler.filters:
        if isinstance(each, DatabaseTroubleOnce):
            monkeypatch.setattr(each, "_logged_at", {})
    return written


def test_the_log_says_the_cause_once_however_many_ask(
    client: Client, headers: dict[str, str], log: io.StringIO
) -> None:
    with failing("database is locked"):
        for _ in range(10):
            client.get("/api/sync/status", headers=headers)
            client.get("/readyz")
            client.post("/login/", {"username": "admin", "password": "x"})

    assert log.getvalue().count("locked") == 1
    assert len(log.getvalue().splitlines()) == 1, log.getvalue()


def test_a_minute_later_it_is_said_again_and_another_cause_at_once() -> None:
    moment = 0.0
    once = DatabaseTroubleOnce(clock=lambda: moment)

    def passes(text: str) -> bool:
        error = OperationalError(text)
        info = (type(error), error, None)
        return once.filter(logging.LogRecord("django.request", logging.ERROR, "", 0, "%s", ("x",), info))

    assert [passes("database is locked"), passes("database is locked"), passes("disk I/O error")] == [True, False, True]
    moment = 61.0
    assert passes("database is locked")


def test_a_full_disk_is_said_once_a_minute_also_by_the_queue_which_logs_bare_errors() -> None:
    once = DatabaseTroubleOnce(clock=lambda: 0.0)
    errors = [OSError(errno.ENOSPC, "No space left on device"), OperationalError("database or disk is full")]
    records = [logging.LogRecord("django-q", logging.ERROR, "", 0, error, None, None) for error in errors * 5]

    said = [record.getMessage() for record in records if once.filter(record)]

    assert len(said) == 1
    assert "The disk of the database is full." in said[0]


# -- commands --


def test_a_command_says_the_real_cause_and_prints_its_document(cause: str) -> None:
    AccountFactory.cast()
    out = io.StringIO()
    with failing(cause), pytest.raises(CommandError) as ended:
        call_command("sync_all", "--json", stdout=out, stderr=io.StringIO(), skip_checks=True)

    assert ended.value.returncode == 1
    said = json.loads(out.getvalue())
    assert (said["run"], said["state"], said["error"]["code"]) == (None, "failed", CAUSES[cause])
    assert said["error"]["remedy"] in str(ended.value)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [("no such table: accounts_syncgroup", "migrate"), ("unable to open database file", "DATABASE_URL")],
)
def test_tables_that_are_missing_and_a_database_that_is_not_there_are_a_matter_of_configuration(
    said: str, remedy: str
) -> None:
    with failing(said), pytest.raises(CommandError, match=remedy) as ended:
        call_command("sync_all", "--json", stdout=io.StringIO(), stderr=io.StringIO(), skip_checks=True)

    assert ended.value.returncode == 2
