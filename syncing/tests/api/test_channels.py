"""Channels through REST: added, listed without their addresses, tried and removed, by keys that may."""

import json
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts.tests.factories import GroupFactory
from syncing.models import AuditEntry, Channel, Event
from syncing.selectors.channels import channel_document
from syncing.services.keys import create_key

pytestmark = pytest.mark.django_db
URL = "/api/sync/channels"
OPS = {"name": "Ops", "email": "ops@example.com", "events": ["run_failed"], "when": "every", "language": "es"}


@pytest.fixture
def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(name='bot', scopes=['read', 'trigger'])[1]}"}


def ask(headers: dict[str, str], method: str, path: str, body: Any = None) -> Any:
    data = "" if body is None else json.dumps(body)
    return Client().generic(method, path, data, content_type="application/json", headers=headers)


def test_a_channel_is_added_listed_and_removed(headers) -> None:
    GroupFactory()
    added = ask(headers, "POST", URL, {**OPS, "group": "Branches"})
    channel = Channel.objects.get()
    assert (added.status_code, added.json()) == (201, channel_document(channel))
    assert (channel.address, channel.kind, channel.group.name) == ("ops@example.com", "email", "Branches")

    listed = ask(headers, "GET", URL)
    assert listed.json() == {"channels": [channel_document(channel)], "next": None}
    assert "ops@example.com" not in listed.content.decode()

    removed = ask(headers, "DELETE", f"{URL}/Ops")
    assert (removed.status_code, removed.json()["name"]) == (200, "Ops")
    assert not Channel.objects.exists()
    assert {entry.via for entry in AuditEntry.objects.filter(action="channel")} == {"api"}


def test_without_events_it_is_told_all_of_them(headers) -> None:
    document = ask(headers, "POST", URL, {"name": "Ops", "email": "ops@example.com"}).json()
    assert document["events"] == list(Event.values)
    assert (document["when"], document["language"], document["group"]) == ("changed", "en", None)


@pytest.mark.parametrize("name", ["Ops & Sales", "Vertrieb Süd", "100 %", "a?b#c", "+55 11 9"])
def test_a_name_with_odd_characters_is_found(headers, name: str) -> None:
    assert ask(headers, "POST", URL, {**OPS, "name": name}).status_code == 201
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    assert ask(headers, "POST", f"{URL}/{quoted}/test").json() == {"sent": name}
    assert ask(headers, "DELETE", f"{URL}/{quoted}").json()["name"] == name


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**OPS, "name": "a/b"}, 400, "bad_name"),
        ({**OPS, "name": ""}, 400, "bad_name"),
        ({**OPS, "name": 7}, 400, "bad_name"),
        ({"email": "ops@example.com"}, 400, "bad_name"),
        ({**OPS, "email": "nobody"}, 400, "bad_address"),
        ({**OPS, "url": "json://example.com"}, 400, "bad_address"),
        ({"name": "Ops"}, 400, "bad_address"),
        ({"name": "Ops", "url": "json://127.0.0.1"}, 400, "private_address"),
        ({"name": "Ops", "url": "file:///etc/passwd"}, 400, "bad_scheme"),
        ({**OPS, "events": ["nothing"]}, 400, "bad_events"),
        ({**OPS, "events": []}, 400, "bad_events"),
        ({**OPS, "events": "run_failed"}, 400, "bad_events"),
        ({**OPS, "when": "sometimes"}, 400, "bad_when"),
        ({**OPS, "language": "xx"}, 400, "bad_language"),
        ({**OPS, "group": "Nobody"}, 400, "unknown_group"),
        ({**OPS, "address": "ops@example.com"}, 400, "unknown_key"),
    ],
)
def test_a_wrong_channel_is_refused(headers, body: dict[str, Any], status: int, code: str) -> None:
    answer = ask(headers, "POST", URL, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Channel.objects.exists()


def test_a_name_is_taken_once(headers) -> None:
    ask(headers, "POST", URL, OPS)
    again = ask(headers, "POST", URL, OPS)
    assert (again.status_code, again.json()["code"]) == (409, "exists_already")


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", f"{URL}/Ops"), ("POST", f"{URL}/Ops/test"), ("DELETE", f"{URL}/%00")]
)
def test_what_is_not_there_is_not_found(headers, method: str, path: str) -> None:
    answer = ask(headers, method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_channel")


def test_a_test_is_sent_once_for_an_idempotency_key(headers) -> None:
    ask(headers, "POST", URL, OPS)
    repeated = {**headers, "Idempotency-Key": "once"}
    first, second = (ask(repeated, "POST", f"{URL}/Ops/test") for _ in range(2))
    assert (first.status_code, second["Idempotent-Replayed"]) == (200, "true")
    assert first.json() == second.json() == {"sent": "Ops"}
    assert len(mail.outbox) == 1


def test_a_test_that_fails_says_why(headers, settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # nobody listens there
    ask(headers, "POST", URL, OPS)
    answer = ask(headers, "POST", f"{URL}/Ops/test")
    assert (answer.status_code, answer.json()["code"]) == (409, "send_failed")
    assert "ops@example.com" not in answer.content.decode()
