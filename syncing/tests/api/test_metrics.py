"""`GET /metrics`: who may read it, that Prometheus can, that the numbers are true, and that they cost the same."""

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.brokers.redis_broker import Redis
from django_q.conf import Conf
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from accounts import clock, request_counts
from accounts.kommo.transport import Exchange
from accounts.models import Account, RequestTotals
from accounts.tests.factories import AccountFactory, GroupFactory
from accounts.tests.redis_databases import redis_database
from syncing import replication
from syncing.automation import watcher
from syncing.models import (
    AccountRun,
    ApiKey,
    Channel,
    Message,
    Process,
    ProcessKind,
    RunTotal,
    Schedule,
    SyncRun,
    Watch,
)
from syncing.presentation.metrics import DEFINITIONS
from syncing.services.keys import create_key
from syncing.services.runs import close
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory
from syncing.tests.house import House, database, result
from syncing.tests.installation import wait_until

HERE = {"Host": "127.0.0.1:8000"}
NAME = re.compile(r"kommosync_[a-z][a-z_]*[a-z]\Z")


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> request_counts.RequestCounts:
    """Those of this test alone."""
    fresh = request_counts.RequestCounts()
    monkeypatch.setattr(request_counts, "COUNTS", fresh)
    return fresh


def scrape(**headers: str) -> Any:
    return Client().get("/metrics", headers=HERE | headers)


def read() -> dict[tuple[str, tuple[str, ...]], float]:
    """The samples by the name (without its prefix) and the values of the labels in the order of their names."""
    families = text_string_to_metric_families(scrape().content.decode())
    return {
        (
            sample.name.removeprefix("kommosync_"),
            tuple(sample.labels[name] for name in sorted(sample.labels)),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def bearer(*scopes: str, maker: User | None = None) -> dict[str, str]:
    _, secret = create_key(name=f"key {ApiKey.objects.count()}", scopes=scopes, maker=maker)
    return {"Authorization": f"Bearer {secret}"}


# -- who may --


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("proxies", [0, 1])
def test_this_machine_needs_no_key_no_host_name_and_no_https(
    settings: Any, host: str, address: str, proxies: int
) -> None:
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT, settings.PROXIES = ["sync.example.com"], True, proxies
    answer = Client().get("/metrics", headers={"Host": host}, REMOTE_ADDR=address)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "no-store" in answer["Cache-Control"]


FORWARDED = [
    {"X-Forwarded-For": "203.0.113.7"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": ""},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Host": "localhost"},
    {"X-Real-IP": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1"},
    {"Via": "1.1 proxy"},
]


@pytest.mark.django_db
@pytest.mark.parametrize("headers", FORWARDED, ids=lambda headers: "-".join(next(iter(headers.items()))))
@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_a_visitor_of_a_proxy_on_this_machine_needs_a_key(settings: Any, headers: Any, proxies: int) -> None:
    settings.PROXIES = proxies
    answer = scrape(**headers)
    assert (answer.status_code, answer["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert b"kommosync_" not in answer.content


@pytest.mark.django_db
@pytest.mark.parametrize(("facts", "status"), [
    ({"REMOTE_ADDR": "203.0.113.7"}, 401),
    ({"REMOTE_ADDR": "10.0.0.1"}, 401),
    ({"REMOTE_ADDR": ""}, 401),
    ({"REMOTE_ADDR": "localhost"}, 401),
    ({"SERVER_PROTOCOL": "HTTP/1.0"}, 401),  # nginx, with no settings of its own
    ({"HTTP_HOST": "sync.example.com"}, 401),
    ({"HTTP_HOST": "evil.example"}, 400),
    ({"HTTP_HOST": "[127.0.0.1"}, 400),
])  # fmt: skip
def test_others_need_a_key(settings: Any, facts: dict[str, str], status: int) -> None:
    settings.ALLOWED_HOSTS = ["sync.example.com", "127.0.0.1"]
    answer = Client(HTTP_HOST="127.0.0.1").get("/metrics", **facts)
    assert answer.status_code == status
    assert b"kommosync_" not in answer.content


@pytest.mark.django_db
def test_a_key_opens_it_from_anywhere() -> None:
    answer = Client().get("/metrics", headers=bearer("read"), REMOTE_ADDR="203.0.113.7")
    assert answer.status_code == 200
    assert b"kommosync_workers_alive" in answer.content


@pytest.mark.django_db
def test_a_key_has_to_be_right_also_on_this_machine() -> None:
    maker = User.objects.create_user("clerk", is_staff=True)
    assert scrape(Authorization="Bearer wrong").status_code == 401
    assert scrape(**bearer("trigger")).status_code == 403
    refused = scrape(**bearer("read", maker=maker))
    assert (refused.status_code, b"view_syncrun" in refused.content) == (403, True)
    maker.user_permissions.add(Permission.objects.get(codename="view_syncrun"))
    assert scrape(**bearer("read", maker=maker)).status_code == 200


@pytest.mark.django_db
def test_a_key_that_asks_too_often_is_told_when_it_may_again(settings: Any) -> None:
    settings.API_RATE = 1
    headers = bearer("read")
    assert scrape(**headers).status_code == 200
    answer = scrape(**headers)
    assert (answer.status_code, answer["Content-Type"]) == (429, "text/plain; charset=utf-8")
    assert 0 < int(answer["Retry-After"]) <= 60


@pytest.mark.django_db
def test_who_is_refused_is_logged_once_with_the_address(caplog: pytest.LogCaptureFixture) -> None:
    scrape(Authorization="Bearer wrong")
    assert [record.getMessage() for record in caplog.records] == ["metrics: bad_key from 127.0.0.1"]


@pytest.mark.django_db
def test_it_is_only_read() -> None:
    answer = Client().post("/metrics", headers=HERE)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


@pytest.mark.django_db
@pytest.mark.parametrize("facts", [{}, {"REMOTE_ADDR": "203.0.113.7"}], ids=["here", "elsewhere"])
@pytest.mark.parametrize("with_key", [False, True])
def test_while_the_database_is_away_it_says_so_in_plain_text(
    with_key: bool, facts: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    headers = HERE | (bearer("read") if with_key or facts else {})

    def refuse(execute: object, sql: str, *args: object) -> None:
        raise OperationalError("database is locked") from sqlite3.OperationalError("database is locked")

    with connection.execute_wrapper(refuse):
        answer = Client().get("/metrics", headers=headers, **facts)
    assert not caplog.records
    assert answer.status_code == 503
    assert answer["Content-Type"].startswith("text/plain")
    assert answer.content.startswith(b"The database is locked")
    assert int(answer["Retry-After"]) > 0
    assert "no-store" in answer["Cache-Control"]


# -- the format --


@pytest.mark.django_db
def test_every_metric_is_named_and_explained_as_prometheus_wants_it() -> None:
    """The rules of `promtool check metrics`."""
    families = list(text_string_to_metric_families(scrape().content.decode()))
    assert len(families) == len({family.name for family in families}) == len(DEFINITIONS)
    for definition, family in zip(DEFINITIONS, families, strict=True):
        assert NAME.match(definition.full_name), definition.full_name
        assert (family.type, family.documentation) == (definition.kind, definition.help)
        assert definition.help.endswith((".", "yet."))
        assert definition.full_name.endswith("_total") == (definition.kind == "counter")
        assert not definition.full_name.endswith(("_count", "_sum", "_bucket", "_info_total"))
        assert not re.search(r"gauge|counter|summary|milli|minutes|hours", definition.full_name)
        labels = {name for sample in family.samples for name in sample.labels}
        assert labels <= set(definition.labels)
        series = [(sample.name, *sorted(sample.labels.items())) for sample in family.samples]
        assert len(series) == len(set(series))


@pytest.mark.django_db
def test_it_speaks_openmetrics_when_it_is_asked_to() -> None:
    answer = scrape(Accept="application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert len(list(openmetrics.text_string_to_metric_families(answer.content.decode()))) == len(DEFINITIONS)


@pytest.mark.django_db
def test_odd_names_of_groups_do_not_break_it_and_no_account_is_named() -> None:
    group = GroupFactory(name='a "b"\\ \n{c} ção')
    account = AccountFactory(group=group, subdomain="north-of-all", name="Secretaria")
    DriftFactory(account=account)
    AccountRunFactory(account=account, state="failed", reason="unpaid")
    assert read()["accounts_by_drift", (group.name, "drifted")] == 1
    body = scrape().content.decode()
    assert account.subdomain not in body
    assert account.name not in body
    assert account.token not in body


# -- the numbers --


@pytest.mark.django_db
def test_accounts_are_counted_by_health_last_run_and_drift() -> None:
    cast = AccountFactory.cast(health="connected")
    other = AccountFactory(group=GroupFactory(name="Others"), subdomain="far", health="unpaid")
    Account.objects.filter(pk=cast["west"].pk).update(paused=True)
    for name, facts in {"north": {"state": "changed"}, "south": {"state": "failed", "reason": "unpaid"}}.items():
        AccountRunFactory(account=cast[name], state="partial", reason="validation")  # an older one
        AccountRunFactory(account=cast[name], **facts)
    AccountRunFactory(account=cast["master"], state="failed", reason="guard")  # of a promotion
    DriftFactory(account=cast["north"], state="drifted")
    DriftFactory(account=other, state="conflict")

    found = read()
    assert found["accounts", ("connected", "slave")] == 4
    assert found["accounts", ("connected", "master")] == found["accounts", ("unpaid", "slave")] == 1
    assert found["accounts_paused", ()] == 1
    last = {labels: value for (name, labels), value in found.items() if name == "accounts_by_last_run"}
    assert last == {("", "never"): 3, ("", "changed"): 1, ("unpaid", "failed"): 1}
    assert found["accounts_by_drift", ("Branches", "drifted")] == 1
    assert found["accounts_by_drift", ("Branches", "never")] == 3
    assert found["accounts_by_drift", ("Others", "conflict")] == 1
    assert found["accounts_by_drift", ("Others", "never")] == 0


@pytest.mark.django_db
def test_accounts_of_a_paused_group_are_paused() -> None:
    AccountFactory.cast(GroupFactory(paused=True))
    assert read()["accounts_paused", ()] == 5


@pytest.mark.django_db
def test_ends_of_connections_are_counted_by_their_days() -> None:
    moment = timezone.now()
    for days, health in ((0.5, "connected"), (5, "connected"), (20, "connected"), (300, "unknown"), (0.2, "reconnect")):
        AccountFactory(token_expires_at=moment + timedelta(days=days), health=health)
    AccountFactory(token_expires_at=None)

    found = read()
    assert [found["connections_ending", (days,)] for days in ("1", "7", "30")] == [1, 2, 3]
    end = (moment + timedelta(days=0.5)).timestamp()
    assert found["connection_end_timestamp_seconds", ()] == pytest.approx(end, abs=0.01)


@pytest.mark.django_db
def test_what_nobody_knows_is_missing() -> None:
    GroupFactory()
    names = {name for name, _ in read()}
    assert "connection_end_timestamp_seconds" not in names
    assert "watcher_last_look_timestamp_seconds" not in names


@pytest.mark.django_db
def test_watchers_schedules_and_what_is_overdue() -> None:
    group, moment = GroupFactory(watch="report"), timezone.now()
    due = moment - timedelta(hours=3)
    Watch.objects.create(group=group, state="idle", last_look=due, due_at=due)
    rows = [("drift", due), ("drift", moment + timedelta(hours=1)), ("apply", moment)]
    for kind, next_at in rows:
        Schedule.objects.create(group=group, kind=kind, cron="0 3 * * *", next_at=next_at, fired_at=due)

    found = read()
    assert found["watcher_state", ("Branches", "overdue")] == 1
    assert found["watcher_state", ("Branches", "idle")] == 0
    assert found["watcher_last_look_timestamp_seconds", ("Branches",)] == pytest.approx(due.timestamp())
    assert found["schedule_next_timestamp_seconds", ("Branches", "drift")] == pytest.approx(due.timestamp())
    assert found["schedule_last_start_timestamp_seconds", ("Branches", "apply")] == pytest.approx(due.timestamp())
    assert [found["overdue", (code,)] for code in ("workers", "watcher", "schedule")] == [1, 1, 1]


@pytest.mark.django_db
def test_workers_and_lanes_are_those_that_live() -> None:
    moment = clock.now()
    rows = {"a": ("worker", 0), "b": ("worker", 9999), "c": ("lane", 0), "d": ("lane", 0), "e": ("foreground", 0)}
    for name, (kind, age) in rows.items():
        beat = moment - timedelta(seconds=age)
        Process.objects.create(name=name, kind=kind, worker="w", started_at=beat, heartbeat_at=beat)
    found = read()
    assert (found["workers_alive", ()], found["lanes_alive", ()]) == (1, 2)
    assert Process.objects.filter(kind=ProcessKind.FOREGROUND).count() == 1


@pytest.mark.django_db
def test_channels_and_messages() -> None:
    moment = timezone.now()
    facts_of = {
        "a": {},
        "b": {"failure": "No answer."},
        "c": {"enabled": False, "failure": "x"},
        "d": {"enabled": False},
    }
    channels = [
        Channel.objects.create(name=name, kind="email", address="anna@example.com", **facts)
        for name, facts in facts_of.items()
    ]
    for facts in ({"due_at": moment}, {"due_at": moment, "attempts": 3}, {"sent_at": moment}, {"failure": "No."}):
        Message.objects.create(channel=channels[0], title="t", text="t", **facts)
    found = read()
    assert [found["channels", (state,)] for state in ("working", "failing", "off")] == [1, 1, 2]
    assert (found["messages_due", ()], found["messages_given_up", ()]) == (2, 1)


@pytest.mark.django_db
def test_runs_that_ended_stay_counted_when_they_are_deleted() -> None:
    run = RunFactory(state="running", trigger="watch")
    AccountRunFactory(run=run, state="changed")
    waiting = RunFactory(state="queued", trigger="api", group=run.group)
    before = read()
    assert before["runs_open", ("queued", "api")] == before["runs_open", ("running", "watch")] == 1
    assert before["runs_ended_total", ("succeeded", "watch")] == 0

    assert close.close_run(run.pk)
    assert not close.close_run(run.pk)
    close.end_by_own_error(waiting.pk, ValueError("odd"))
    close.end_by_own_error(waiting.pk, ValueError("odd"))
    ended = {("succeeded", "watch"): 1, ("failed", "api"): 1}
    assert {key: read()["runs_ended_total", key] for key in ended} == ended

    SyncRun.objects.all().delete()
    assert {key: read()["runs_ended_total", key] for key in ended} == ended
    assert read()["runs_open", ("queued", "api")] == 0


@pytest.mark.django_db
def test_runs_from_before_the_totals_are_counted_in_them() -> None:
    for state, trigger in (("succeeded", "api"), ("succeeded", "api"), ("partial", "watch"), ("running", "api")):
        RunFactory(state=state, trigger=trigger)
    seed = import_module("syncing.migrations.0014_run_totals").count_ended_runs
    seed(apps, SimpleNamespace(connection=connection))
    found = set(RunTotal.objects.values_list("state", "trigger", "count"))
    assert found == {("succeeded", "api", 2), ("partial", "watch", 1)}


def test_every_request_of_a_run_is_counted_once_with_its_outcome(house: House) -> None:
    """The simulator has the truth."""
    house.world.accounts["master"].add_pipeline("Sales", stages=["New"])
    house.start()
    house.work(replicate=replication.replicate)

    answered = sum(house.world.log.statuses.values())
    totals = RequestTotals.objects.get()
    assert answered > 20
    assert totals.ok == answered
    found = read()
    assert found["kommo_requests_total", ("ok",)] == found["kommo_request_seconds_count", ()] == answered
    assert 0 < found["kommo_request_seconds_sum", ()] < 60
    assert RunTotal.objects.get().count == 1


def test_what_a_lane_has_sent_is_counted_while_it_is_still_at_work(house: House, settings: Any) -> None:
    """A process that is killed loses the seconds since its last heartbeat, not the requests of its account runs."""
    settings.SYNC_LEASE = 2

    def linger(target: Any, client: Any, *others: Any) -> Any:
        client.get("/account")
        with database():
            sent = sum(house.world.log.statuses.values())
            wait_until(lambda: RequestTotals.objects.filter(ok=sent).exists(), 20, "count")
        return result()

    run = house.start(accounts=[house.accounts["north"]])
    house.work(linger)
    assert house.states(run) == {"north": "changed"}


def test_a_look_at_a_master_is_counted(house: House) -> None:
    assert watcher.look(house.group.pk, threading.Event(), at_once=True) is not None
    assert RequestTotals.objects.get().ok == sum(house.world.log.statuses.values()) > 0


# -- the queue --


@pytest.mark.django_db
def test_the_queue_in_the_database_is_measured() -> None:
    broker_rows = read()["queue_messages", ()]
    assert broker_rows == 0
    from_queue()
    assert read()["queue_messages", ()] == 2


def from_queue() -> None:
    for _ in range(2):
        get_broker().enqueue("message")


@pytest.fixture
def redis_queue(settings: Any, redis_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    with redis_database(redis_server) as url:
        monkeypatch.setattr(Conf, "REDIS", url)
        settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": url}
        broker = Redis()
        monkeypatch.setattr("syncing.selectors.metrics.get_broker", lambda: broker)
        yield broker


@pytest.mark.django_db
def test_the_queue_in_redis_is_measured(redis_queue: Redis) -> None:
    redis_queue.enqueue("message")
    assert read()["queue_messages", ()] == 1


@pytest.mark.django_db
def test_a_redis_that_does_not_answer_costs_only_its_own_metric(settings: Any) -> None:
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": "redis://127.0.0.1:1/0"}
    began = time.monotonic()
    found = read()
    assert ("queue_messages", ()) not in found
    assert ("workers_alive", ()) in found
    assert time.monotonic() - began < 30


# -- the cost --


@pytest.mark.django_db
def test_a_scrape_costs_a_fixed_few_queries() -> None:
    """However many accounts, groups, runs and messages there are."""
    for number in range(3):
        group = GroupFactory(name=f"Group {number}", watch="report")
        Schedule.objects.create(group=group, kind="drift", cron="0 3 * * *", next_at=timezone.now())
        Watch.objects.create(group=group, state="idle")
        for _ in range(7):
            account = AccountFactory(group=group)
            DriftFactory(account=account)
            for _ in range(3):
                AccountRunFactory(account=account)
    moment = clock.now()
    Process.objects.create(name="w", kind="worker", started_at=moment, heartbeat_at=moment)
    assert AccountRun.objects.count() == 63
    with CaptureQueriesContext(connection) as spent:
        assert scrape().status_code == 200
    asked = [query["sql"] for query in spent.captured_queries if "clock_timestamp" not in query["sql"]]
    assert len(asked) == QUERIES
    assert not [sql for sql in asked if '"document"' in sql or '"token"' in sql]


QUERIES = 15  # PostgreSQL is asked for the time as well


def test_counting_a_request_asks_nothing_of_the_database(counts: request_counts.RequestCounts) -> None:
    """This test has none."""
    counts.note(Exchange("GET", "/account", 200, 0.25))
    counts.note(Exchange("GET", "/account", 200, 0.25))
    counts.note(Exchange("GET", "/account", 429, 0.5))
    assert counts.take() == {"ok": 2, "rate_limited": 1, "seconds": 1.0}
    assert counts.take() == {}
