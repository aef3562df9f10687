"""The webhook: a known token asks for a sync, whatever comes with it."""

import threading
import time

import pytest
from django.db import connections
from django.test import Client

from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import SyncRun, Trigger
from syncing.services.keys import group_for_webhook, make_webhook_token

BODIES = {
    "empty": (b"", "text/plain"),
    "json": (b'{"leads": {"status": [{"id": 1}]}}', "application/json"),
    "form": (b"leads[status][0][id]=1&account[id]=7", "application/x-www-form-urlencoded"),
    "broken form": (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
    "garbage": (bytes(range(256)) * 4096, "application/json"),
}


@pytest.fixture
def url(db) -> str:
    group = AccountFactory.cast()["north"].group
    return f"/api/sync/webhook/{make_webhook_token(group)}"


@pytest.mark.parametrize("body", BODIES)
def test_it_starts_a_run_whatever_the_body(url, body) -> None:
    data, content_type = BODIES[body]
    client = Client(enforce_csrf_checks=True)
    response = client.generic("POST", url, data, content_type=content_type)
    run = SyncRun.objects.get()
    assert response.status_code == 202
    assert response.json() == {"run": run.pk}
    assert (run.trigger, run.state, run.account_runs.count()) == (Trigger.WEBHOOK, "queued", 4)


def test_it_answers_within_100_ms(url, client) -> None:
    client.post(url)  # what is loaded only once
    SyncRun.objects.all().delete()

    def seconds() -> float:
        begun = time.perf_counter()
        client.generic("POST", url, BODIES["garbage"][0], content_type="application/json")
        return time.perf_counter() - begun

    assert any(seconds() < 0.1 for _ in range(50))  # on a busy machine not the first


@pytest.mark.django_db(transaction=True)
def test_a_burst_joins_the_run_that_waits(url) -> None:
    answers = []

    def call() -> None:
        answers.append(Client().post(url).json()["run"])
        connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert set(answers) == {SyncRun.objects.get().pk}


def test_joining_only_reads(url, client, django_assert_num_queries) -> None:
    client.post(url)
    with django_assert_num_queries(4) as asked:
        client.post(url)
    assert all(query["sql"].startswith("SELECT") for query in asked.captured_queries)


@pytest.mark.parametrize(
    "changed", [{"fence": 1}, {"state": "running"}, {"mode": "plan"}, {"forced": True}, {"type": "pipelines"}]
)
def test_a_run_that_is_another_or_has_begun_is_not_joined(url, client, changed) -> None:
    first = client.post(url).json()["run"]
    SyncRun.objects.update(**changed)
    assert client.post(url).json()["run"] != first


def test_a_slave_that_came_since_is_not_left_out(url, client) -> None:
    first = client.post(url).json()["run"]
    AccountFactory(subdomain="newcomer")
    second = client.post(url).json()["run"]
    assert second != first
    assert SyncRun.objects.get(pk=second).account_runs.filter(account__subdomain="newcomer").exists()


@pytest.mark.parametrize("token", ["token-of-north", "x" * 5000, "%00", "é"])
def test_an_unknown_token_is_not_found(url, client, token) -> None:
    response = client.post(f"/api/sync/webhook/{token}")
    assert response.status_code == 404
    assert not SyncRun.objects.exists()


def test_a_group_without_a_token_has_no_webhook(db) -> None:
    GroupFactory()
    assert group_for_webhook("") is None


def test_only_a_post_asks_for_a_sync(url, client) -> None:
    response = client.get(url)
    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert not SyncRun.objects.exists()


def test_a_group_that_cannot_run_still_accepts_so_that_kommo_keeps_the_hook(db, client) -> None:
    token = make_webhook_token(GroupFactory())
    response = client.post(f"/api/sync/webhook/{token}")
    assert response.status_code == 202
    assert response.json()["run"] is None
    assert response.json()["error"]["code"] == "no_master"


def test_a_rotated_token_ends_the_old_one(url, client) -> None:
    group = group_for_webhook(url.rpartition("/")[2])
    assert group is not None
    fresh = make_webhook_token(group, rotate=True)
    assert client.post(url).status_code == 404
    assert client.post(f"/api/sync/webhook/{fresh}").status_code == 202
