"""Idempotency-Key: the same request gets the same answer and is done once; another one is refused."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from accounts.tests.tables import postgres_database
from syncing.models import AuditEntry, IdempotentAnswer, Schedule, SyncRun
from syncing.records.retention import prune_idempotent_answers
from syncing.services.keys import create_key
from syncing.tests.api.idempotency_scene import CLIENTS, NIGHT, scene

pytestmark = pytest.mark.django_db
SCHEDULES, TRIGGER, PAUSE = "/api/sync/schedules", "/api/sync/trigger", "/api/sync/pause"


@pytest.fixture
def cast(db: None) -> dict[str, Account]:
    return AccountFactory.cast()


@pytest.fixture
def headers(cast: dict[str, Account]) -> dict[str, str]:
    return bearer("bot")


def bearer(name: str, maker: User | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(name=name, scopes=['read', 'trigger'], maker=maker)[1]}"}


def send(headers: dict[str, str], text: str | None, path: str, body: Any = None, method: str = "POST") -> Any:
    named = headers if text is None else {**headers, "Idempotency-Key": text}
    data = body if isinstance(body, str) else json.dumps(body or {})
    return Client().generic(method, path, data, content_type="application/json", headers=named)


def code(answer: Any) -> str:
    return str(answer.json()["code"])


def test_the_same_request_gets_the_same_answer_and_is_done_once(headers) -> None:
    first, second = (send(headers, "a", SCHEDULES, NIGHT) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first["Content-Type"] == second["Content-Type"] == "application/json"
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert "no-cache" in second["Cache-Control"]
    assert Schedule.objects.count() == AuditEntry.objects.filter(action="automation").count() == 1


def test_without_the_header_each_is_done(headers) -> None:
    for _ in range(2):
        assert "Idempotent-Replayed" not in send(headers, None, SCHEDULES, NIGHT)
    assert Schedule.objects.count() == 2


@pytest.mark.parametrize(
    ("path", "body", "method"),
    [
        (SCHEDULES, {**NIGHT, "grace": 5}, "POST"),
        (f"{SCHEDULES}?x=1", NIGHT, "POST"),
        (TRIGGER, NIGHT, "POST"),
        ("/api/sync/policy", NIGHT, "PATCH"),
    ],
)
def test_the_same_text_for_another_request_is_refused(headers, path, body, method) -> None:
    send(headers, "a", SCHEDULES, NIGHT)
    answer = send(headers, "a", path, body, method)
    assert (answer.status_code, code(answer)) == (422, "idempotency_mismatch")
    assert Schedule.objects.count() == 1
    assert not SyncRun.objects.exists()


def test_the_texts_of_two_keys_are_not_one(headers) -> None:
    send(headers, "a", SCHEDULES, NIGHT)
    other = send(bearer("other"), "a", SCHEDULES, NIGHT)
    assert "Idempotent-Replayed" not in other
    assert Schedule.objects.count() == 2


def test_after_a_day_it_is_another_request(headers) -> None:
    with time_machine.travel(timezone.now() - timedelta(hours=24, seconds=1)):
        send(headers, "a", SCHEDULES, NIGHT)
    assert "Idempotent-Replayed" not in send(headers, "a", SCHEDULES, {**NIGHT, "grace": 5})
    assert send(headers, "a", SCHEDULES, {**NIGHT, "grace": 5})["Idempotent-Replayed"] == "true"
    assert Schedule.objects.count() == 2


def test_after_a_day_answers_are_deleted(headers) -> None:
    with time_machine.travel(timezone.now() - timedelta(hours=24, seconds=1)):
        send(headers, "old", SCHEDULES, NIGHT)
    send(headers, "new", SCHEDULES, NIGHT)
    assert prune_idempotent_answers() == 1
    assert [row.text for row in IdempotentAnswer.objects.all()] == ["new"]


@pytest.mark.parametrize("text", ["", " ", "a b", "x" * 256, "a\tb", "é", "\x7f"])
def test_a_text_that_cannot_be_kept_is_refused(headers, text) -> None:
    answer = send(headers, text, SCHEDULES, NIGHT)
    assert (answer.status_code, code(answer)) == (400, "bad_idempotency_key")
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("text", ["0", "x" * 255, "!~/%'\"", "7f3c-11"])
def test_a_text_that_can_be_kept_is_taken(headers, text) -> None:
    send(headers, text, SCHEDULES, NIGHT)
    assert send(headers, text, SCHEDULES, NIGHT)["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("path", "body", "status"), [(SCHEDULES, {"kind": "x"}, 400), (SCHEDULES, "{", 400), (TRIGGER, {}, 409)]
)
def test_a_refusal_is_an_answer_too(headers, path, body, status) -> None:
    Account.objects.filter(role="master").update(role="slave")
    first = send(headers, "a", path, body)
    Account.objects.filter(subdomain="master").update(role="master")
    second = send(headers, "a", path, body)
    assert (first.status_code, second["Idempotent-Replayed"]) == (status, "true")
    assert first.content == second.content
    assert second["Content-Type"] == "application/problem+json"


def test_who_may_not_yet_is_not_refused_for_a_day(cast) -> None:
    maker = User.objects.create_user("ana", is_staff=True)
    headers = bearer("bot", maker)
    assert send(headers, "a", TRIGGER).status_code == 403
    maker.user_permissions.add(Permission.objects.get(codename="start_sync"))
    assert send(headers, "a", TRIGGER).status_code == 202


def test_who_may_no_longer_gets_no_old_answer(cast) -> None:
    maker = User.objects.create_user("ana", is_staff=True)
    maker.user_permissions.add(Permission.objects.get(codename="change_syncgroup"))
    headers = bearer("bot", maker)
    assert send(headers, "a", SCHEDULES, NIGHT).status_code == 201
    maker.user_permissions.clear()
    assert send(headers, "a", SCHEDULES, NIGHT).status_code == 403


def test_an_error_of_ours_leaves_nothing(headers, monkeypatch) -> None:
    def fail(*args: Any, **facts: Any) -> None:
        Account.objects.filter(subdomain="north").update(name="half done")
        raise RuntimeError("secret")

    with monkeypatch.context() as broken:
        broken.setattr("syncing.api.schedules.services.add", fail)
        client = Client(raise_request_exception=False)
        named = {**headers, "Idempotency-Key": "a"}
        answer = client.post(SCHEDULES, json.dumps(NIGHT), content_type="application/json", headers=named)
    assert (answer.status_code, answer["Content-Type"], code(answer)) == (500, "application/problem+json", "internal")
    assert "secret" not in answer.content.decode()
    assert not IdempotentAnswer.objects.exists()
    assert Account.objects.get(subdomain="north").name == "North"
    assert send(headers, "a", SCHEDULES, NIGHT).status_code == 201


def test_a_body_over_the_limit_is_refused_and_not_kept(headers) -> None:
    answer = send(headers, "a", SCHEDULES, " " * 70_000)
    assert (answer.status_code, code(answer)) == (413, "too_large")
    assert not IdempotentAnswer.objects.exists()


def test_deletions_and_changes_take_it_too(headers) -> None:
    path = f"{SCHEDULES}/{send(headers, None, SCHEDULES, NIGHT).json()['id']}"
    first, second = (send(headers, "a", path, method="DELETE") for _ in range(2))
    assert (first.status_code, first.content) == (second.status_code, second.content)
    policy = [send(headers, "b", "/api/sync/policy", {"policy": {"watch": "plan"}}, "PATCH") for _ in range(2)]
    assert policy[1]["Idempotent-Replayed"] == "true"


def test_what_only_reads_does_not_look_at_it(headers) -> None:
    for _ in range(2):
        assert "Idempotent-Replayed" not in send(headers, "a b", SCHEDULES, method="GET")
    assert not IdempotentAnswer.objects.exists()


def test_a_deleted_key_takes_its_answers_along(headers) -> None:
    send(headers, "a", SCHEDULES, NIGHT)
    row = IdempotentAnswer.objects.select_related("key").get()
    assert "ks_" not in row.body
    row.key.delete()
    assert not IdempotentAnswer.objects.exists()


# -- many at once, and killed --

ONCE = {"statuses": [201], "answers": 1, "replayed": CLIENTS - 1}
SCENE = {
    "killed": {"killed_by": 9, "answers": 0, "schedules": 0, "runs": 0, "audited": 0},
    "added": ONCE,
    "started": {**ONCE, "statuses": [202]},
    "state": {"answers": 2, "schedules": 1, "runs": 1, "audited": 1},
}


@pytest.mark.django_db(transaction=True)
def test_of_equal_requests_at_once_one_is_done_and_a_killed_one_leaves_nothing() -> None:
    assert scene() == SCENE


def test_the_same_on_postgresql(postgres_url: str, postgres_tables: str) -> None:
    program = "import json, django; django.setup(); from syncing.tests.api.idempotency_scene import scene; "
    with postgres_database(postgres_url, f"test_idempotency_{os.getpid()}", postgres_tables) as url:
        hosts = "from django.conf import settings; settings.ALLOWED_HOSTS = ['testserver']; "
        environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "kommosync.settings_test"}
        command = [sys.executable, "-c", program + hosts + "print(json.dumps(scene()))"]
        done = subprocess.run(
            command, env=environment, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True, timeout=90, check=True
        )
    assert json.loads(done.stdout) == SCENE
