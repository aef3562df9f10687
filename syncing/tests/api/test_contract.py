"""What programs rely on (docs/interface.md): status, headers and keys of every answer, however it is built."""

import json
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError
from django.test import Client

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing import conf
from syncing.models import SyncRun
from syncing.services.keys import create_key, make_webhook_token
from syncing.tests.api.conftest import NIGHT, WEEKEND

pytestmark = pytest.mark.django_db

RUN = {"run", "status_url"}
DOCUMENT = {"run", "type", "mode", "trigger", "state", "reason", "error", "duration_s", "master", "totals"}
DOCUMENT |= {"accounts", "plans", "waves", "name", "why", "requested_by", "first_attempt", "sent_back"}
SCHEDULE = {"id", "group", "kind", "cron", "time_zone", "grace", "enabled", "next"}
WINDOW = {"id", "group", "kind", "cron", "time_zone", "minutes", "next"}
EXCEPTION = {"id", "kind", "key", "attribute", "name", "parent", "reason", "accepted_by", "accepted_at", "withdrawn_at"}
OFFER = {"kind": "stage", "key": "7/71", "attribute": "color", "reason": "Their own colours."}
# Method, path, scope, body; status and the keys of the answer (of its first row, where it is a list).
GOOD: list[tuple[str, str, str, Any, int, set[str]]] = [
    ("POST", "/api/sync/trigger", "trigger", {"mode": "plan"}, 202, RUN),
    ("GET", "/api/sync/status", "read", None, 200, {"workers", "overdue", "groups"}),
    ("GET", "/api/sync/policy", "read", None, 200, {"group", "policy"}),
    ("PATCH", "/api/sync/policy", "trigger", {"policy": {"watch": "plan"}}, 200, {"group", "policy"}),
    ("GET", "/api/sync/schedules", "read", None, 200, {"schedules"}),
    ("POST", "/api/sync/schedules", "trigger", NIGHT, 201, SCHEDULE),
    ("DELETE", "/api/sync/schedules/{schedule}", "trigger", None, 200, SCHEDULE),
    ("GET", "/api/sync/windows", "read", None, 200, {"windows"}),
    ("POST", "/api/sync/windows", "trigger", WEEKEND, 201, WINDOW),
    ("DELETE", "/api/sync/windows/{window}", "trigger", None, 200, WINDOW),
    ("POST", "/api/sync/pause", "trigger", {"accounts": ["north"], "reason": "x"}, 200, {"paused"}),
    ("POST", "/api/sync/resume", "trigger", {"accounts": ["north"]}, 200, {"resumed"}),
    ("GET", "/api/sync/runs/{run}", "read", None, 200, DOCUMENT),
    ("GET", "/api/sync/runs/{run}/plan", "read", None, 200, {"run", "type", "mode", "state", "plans", "without_plan"}),
    ("POST", "/api/sync/runs/{run}/approve", "approve", {"reason": "Fine."}, 202, RUN),
    (
        "GET",
        "/api/accounts/north/ids",
        "read",
        None,
        200,
        {"kind", "entity", "name", "parent", "master_id", "slave_id"},
    ),
    ("POST", "/api/accounts/north/exceptions", "approve", OFFER, 201, EXCEPTION),
    ("GET", "/api/drift", "read", None, 200, {"accounts"}),
    ("GET", "/api/audit", "read", None, 200, {"entries", "next"}),
]
REFUSED: list[tuple[str, str, str, Any, int, str]] = [
    ("GET", "/api/sync/runs/9999999", "read", None, 404, "no_such_run"),
    ("GET", "/api/sync/runs/9999999/plan", "read", None, 404, "no_such_run"),
    ("POST", "/api/sync/runs/9999999/continue", "trigger", {"odd": 1}, 404, "no_such_run"),
    ("POST", "/api/sync/runs/{run}/continue", "trigger", {"wave": "2"}, 400, "bad_wave"),
    ("POST", "/api/sync/runs/{run}/continue", "trigger", {}, 409, "nothing_to_continue"),
    ("POST", "/api/sync/runs/{run}/rollback", "trigger", {}, 409, "nothing_written"),
    ("POST", "/api/sync/runs/{run}/approve", "approve", {"accounts": ["nobody"]}, 400, "unknown_account"),
    ("POST", "/api/accounts/north/promote", "promote", {"items": []}, 400, "bad_items"),
    (
        "POST",
        "/api/accounts/north/promote",
        "promote",
        {"items": [{"kind": "stage", "name": "No"}]},
        409,
        "no_such_item",
    ),
    (
        "POST",
        "/api/accounts/master/promote",
        "promote",
        {"items": [{"kind": "stage", "name": "No"}]},
        404,
        "no_such_account",
    ),
    ("DELETE", "/api/accounts/north/exceptions/9999999", "approve", None, 404, "no_such_exception"),
    ("DELETE", "/api/sync/schedules/9999999", "trigger", None, 404, "no_such_schedule"),
    ("DELETE", "/api/sync/windows/9999999", "trigger", None, 404, "no_such_window"),
    ("GET", "/api/sync/policy?group=Nobody", "read", None, 400, "unknown_group"),
    ("PATCH", "/api/sync/policy", "trigger", {"policy": {"watch": "x"}}, 400, "bad_policy"),
    ("GET", "/api/audit?limit=1001", "read", None, 400, "bad_limit"),
    ("GET", "/api/audit?limit=0", "read", None, 400, "bad_limit"),
    ("GET", "/api/audit?before=x", "read", None, 400, "bad_before"),
    ("GET", "/api/drift?account=nobody", "read", None, 404, "no_such_account"),
    ("POST", "/api/sync/trigger", "trigger", {"mode": "write"}, 400, "bad_mode"),
]
ALLOWED = {
    "/api/sync/trigger": "POST",
    "/api/sync/status": "GET",
    "/api/sync/policy": "GET, PATCH",
    "/api/sync/schedules/{schedule}": "DELETE",
    "/api/sync/runs/{run}": "GET",
    "/api/sync/runs/{run}/plan": "GET",
    "/api/sync/runs/{run}/approve": "POST",
    "/api/accounts/north/ids": "GET",
    "/api/accounts/north/exceptions": "POST",
    "/api/accounts/north/exceptions/1": "DELETE",
    "/api/drift": "GET",
    "/api/audit": "GET",
    "/api/sync/webhook/token": "POST",
}
BODIES = ["/api/sync/trigger", "/api/sync/schedules", "/api/sync/windows", "/api/sync/pause", "/api/sync/resume"]
BODIES += ["/api/sync/runs/{run}/approve", "/api/sync/runs/{run}/continue", "/api/sync/runs/{run}/rollback"]
BODIES += ["/api/accounts/north/promote", "/api/accounts/north/exceptions"]


def ask(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Client().generic(method, path, data, content_type="application/json", headers=headers or {})


def error_of(answer: Any) -> str:
    """The code of an error, whose shape is checked as well."""
    assert answer["Content-Type"].startswith("application/")
    assert "json" in answer["Content-Type"]
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "remedy"}
    assert all(isinstance(text, str) for text in error.values())
    return str(error["code"])


@pytest.mark.parametrize(("method", "path", "scope", "body", "status", "wanted"), GOOD)
def test_a_good_request(numbers, keys, method, path, scope, body, status, wanted) -> None:
    path = path.format(**numbers)
    answer = ask(method, path, body, keys[scope])
    document = answer.json()
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/json"
    assert wanted <= set(document[0] if isinstance(document, list) else document)
    assert {"private", "no-cache"} <= set(answer["Cache-Control"].split(", "))
    if "status_url" in wanted:
        assert document["status_url"] == f"http://testserver/api/sync/runs/{document['run']}"
    if method == "GET":
        head = ask("HEAD", path, None, keys[scope])
        assert (head.status_code, head.content, head["Content-Type"]) == (200, b"", "application/json")


@pytest.mark.parametrize(("method", "path", "scope", "body", "status", "code"), REFUSED)
def test_a_refused_request(numbers, keys, method, path, scope, body, status, code) -> None:
    answer = ask(method, path.format(**numbers), body, keys[scope])
    assert (answer.status_code, error_of(answer)) == (status, code)
    assert SyncRun.objects.count() == 1


@pytest.mark.parametrize(("method", "path", "scope"), [row[:3] for row in GOOD])
def test_who_is_nobody_or_may_not(numbers, keys, method, path, scope) -> None:
    path = path.format(**numbers)
    nobody, stranger = ask(method, path), ask(method, path, None, {"Authorization": "Bearer ks_guessed"})
    assert (nobody.status_code, error_of(nobody)) == (401, "no_key")
    assert (stranger.status_code, error_of(stranger)) == (401, "bad_key")
    assert nobody["WWW-Authenticate"] == stranger["WWW-Authenticate"] == 'Bearer realm="KommoSync"'
    other = ask(method, path, None, keys["promote"])
    assert (other.status_code, error_of(other)) == (403, "no_scope")
    assert "no-cache" in other["Cache-Control"]


@pytest.mark.parametrize("path", ALLOWED)
def test_another_method(numbers, keys, path) -> None:
    answer = ask("PUT", path.format(**numbers), {}, keys["read"])
    assert (answer.status_code, error_of(answer), answer["Allow"]) == (405, "method_not_allowed", ALLOWED[path])


@pytest.mark.parametrize(
    "path", ["/api/", "/api/nothing", "/api/sync/trigger/", "/api/sync/runs/x", "/api/sync/runs/-1"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_is_not_there(method, path) -> None:
    answer = ask(method, path)
    assert (answer.status_code, error_of(answer)) == (404, "no_such_endpoint")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b"[]", 400, "bad_json"),
        (b"7", 400, "bad_json"),
        (b"\xff", 400, "bad_json"),
        (b"[" * 30_000, 400, "bad_json"),
        (b'{"odd": 1}', 400, "unknown_key"),
        (b" " * (conf.API_BODY_LIMIT + 1), 413, "too_large"),
    ],
)
@pytest.mark.parametrize("path", BODIES)
def test_a_bad_body(numbers, path, body, status, code) -> None:
    headers = {"Authorization": f"Bearer {create_key(name='all', scopes=['trigger', 'approve', 'promote'])[1]}"}
    answer = ask("POST", path.format(**numbers), body, headers)
    assert (answer.status_code, error_of(answer)) == (status, code)


def test_a_body_without_a_length_is_read_no_further_than_the_limit(keys) -> None:
    AccountFactory.cast()
    data = b" " * (conf.API_BODY_LIMIT + 1)
    answer = Client().post("/api/sync/trigger", data, "application/json", headers=keys["trigger"], CONTENT_LENGTH="")
    assert answer.status_code in (202, 413)  # nothing of it is read, or as much as is allowed


def test_an_empty_body_is_an_empty_object(numbers, keys) -> None:
    assert ask("POST", "/api/sync/trigger", b"", keys["trigger"]).status_code == 202
    assert ask("POST", "/api/sync/resume", b" \n", keys["trigger"]).status_code == 200


@pytest.mark.parametrize("path", ["/api/sync/status", "/api/drift", "/api/audit", "/api/accounts/north/ids"])
def test_while_the_database_is_away(numbers, keys, monkeypatch, path) -> None:
    client = Client(raise_request_exception=False)

    def fail(*args: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("syncing.services.keys.key_for", fail)
    answer = client.get(path, headers=keys["read"])
    assert (answer.status_code, error_of(answer), answer["Retry-After"]) == (503, "database_locked", "30")


# -- the webhook --


@pytest.fixture
def webhook(db: None) -> str:
    group = AccountFactory.cast()["north"].group
    return f"/api/sync/webhook/{make_webhook_token(group)}"


@pytest.mark.parametrize("body", [b"", b"{", b"a=1&b=2", bytes(range(256)) * 400])
@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_a_webhook_takes_any_body_and_reads_it_away(webhook, body, kind, monkeypatch) -> None:
    read = []
    original = WSGIRequest.read
    monkeypatch.setattr(WSGIRequest, "read", lambda *args: (read.append(original(*args)), read[-1])[1])
    answer = Client(enforce_csrf_checks=True).generic("POST", webhook, body, content_type=kind)
    assert (answer.status_code, answer.json()) == (202, {"run": SyncRun.objects.get().pk})
    assert b"".join(read) == body


def test_a_webhook_that_starts_nothing_is_accepted(webhook) -> None:
    Account.objects.filter(role="master").delete()
    answer = Client().post(webhook)
    assert (answer.status_code, answer.json()["run"], error_of(answer)) == (202, None, "no_master")


def test_a_webhook_of_nobody(db) -> None:
    answer = Client().post("/api/sync/webhook/guessed")
    assert (answer.status_code, error_of(answer)) == (404, "no_such_token")


def test_a_webhook_while_the_database_is_away(webhook, monkeypatch) -> None:
    def fail(*args: Any, **facts: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("syncing.api.webhooks.start_run", fail)
    answer = Client(raise_request_exception=False).post(webhook)
    assert (answer.status_code, error_of(answer), answer["Retry-After"]) == (503, "database_locked", "30")
