"""A monitor outside is told every minute how it goes, and harms nothing, whatever is wrong with it."""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import SyncGroup
from accounts.tests.factories import GroupFactory
from syncing import tasks
from syncing.automation import ping
from syncing.logs import HideSecretPaths
from syncing.models import Process, ProcessKind, RunState, Trigger
from syncing.operations.child_processes import free_port
from syncing.tests.automation.sink import Sink, listening
from syncing.tests.factories import RunFactory

pytestmark = pytest.mark.django_db
PATH = "/ping/5ecret-uuid"


@pytest.fixture
def sink(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    monkeypatch.setattr(ping, "MONITOR", ping.Monitor())
    with listening() as sink:
        settings.PING_URL = sink.url
        yield sink


@pytest.fixture
def group() -> SyncGroup:
    """Its master is watched, and a worker lives."""
    now = timezone.now()
    Process.objects.create(name="w", kind=ProcessKind.WORKER, worker="w", started_at=now, heartbeat_at=now)
    return GroupFactory(watch="apply")


def test_a_round_that_finds_all_well_tells_its_beginning_and_its_end(sink: Sink, group: SyncGroup) -> None:
    counts = tasks.reap()

    assert sink.told == [("GET", f"{PATH}/start", ""), ("GET", PATH, "")]
    assert "released" in counts


def test_the_beginning_is_told_before_the_repairs_and_the_end_after_them(sink: Sink) -> None:
    with ping.reported():
        _until(lambda: len(sink.told) == 1)
        assert sink.told == [("GET", f"{PATH}/start", "")]


def test_what_is_overdue_is_told_in_sentences(sink: Sink, group: SyncGroup) -> None:
    Process.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=2))

    tasks.reap()

    method, path, body = sink.told[-1]
    assert (method, path) == ("POST", f"{PATH}/fail")
    assert "No worker has been alive since" in body
    assert "manage.py worker" in body


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.PARTIAL, RunState.REFUSED])
def test_a_run_that_came_by_itself_and_ended_badly_is_told(sink: Sink, group: SyncGroup, state: str) -> None:
    run = RunFactory(group=group, trigger=Trigger.WATCH, state=state)

    tasks.reap()

    assert sink.told[-1][1] == f"{PATH}/fail"
    assert f"Run {run.pk} of the group Branches ended as:" in sink.told[-1][2]


@pytest.mark.parametrize(
    "later",
    [
        {"trigger": Trigger.RETRY, "state": RunState.SUCCEEDED, "whole_group": False},
        {"trigger": Trigger.WATCH, "state": RunState.PLANNED, "mode": "plan"},
        {"trigger": Trigger.ADMIN, "state": RunState.SUCCEEDED},
    ],
)
def test_what_succeeded_since_has_mended_it(sink: Sink, group: SyncGroup, later: dict[str, object]) -> None:
    RunFactory(group=group, trigger=Trigger.WATCH, state=RunState.PARTIAL)
    RunFactory(group=group, **later)

    assert ping.what_is_wrong() == []


@pytest.mark.parametrize(
    "later",
    [
        {"trigger": Trigger.ADMIN, "state": RunState.SUCCEEDED, "whole_group": False},
        {"trigger": Trigger.ADMIN, "state": RunState.PLANNED, "mode": "plan"},
        {"trigger": Trigger.WATCH, "state": RunState.RUNNING},
        {"trigger": Trigger.COMMAND, "state": RunState.FAILED},
    ],
)
def test_anything_else_has_not(sink: Sink, group: SyncGroup, later: dict[str, object]) -> None:
    run = RunFactory(group=group, trigger=Trigger.WATCH, state=RunState.PARTIAL)
    RunFactory(group=group, **later)

    assert [sentence.split(" of ")[0] for sentence in ping.what_is_wrong()] == [f"Run {run.pk}"]


def test_a_run_of_a_person_that_failed_is_no_matter_of_the_automation(sink: Sink, group: SyncGroup) -> None:
    RunFactory(group=group, trigger=Trigger.ADMIN, state=RunState.FAILED)

    tasks.reap()

    assert sink.told[-1] == ("GET", PATH, "")


def test_without_an_address_nothing_is_sent(sink: Sink, settings: Settings) -> None:
    settings.PING_URL = ""

    tasks.reap()

    assert sink.told == []


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# -- a monitor in trouble --


@pytest.mark.parametrize("status", [500, 404, 302])
def test_an_answer_that_is_none_is_logged_once_without_the_address(
    sink: Sink, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    sink.status = status

    for _ in range(3):
        assert "released" in tasks.reap()

    assert [path for _, path, _ in sink.told] == [f"{PATH}/start", PATH] * 3  # and nowhere else
    assert [record.message for record in caplog.records if record.name == ping.__name__] == [
        f"the monitor of PING_URL was not told: it answered {status}"
    ]
    assert "5ecret" not in caplog.text


def test_a_monitor_that_is_back_and_away_again_is_logged_again(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    for status in (500, 200, 500):
        sink.status = status
        tasks.reap()

    assert caplog.text.count("it answered 500") == 2


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/5ecret-uuid", "http://no-such-host.invalid/5ecret-uuid"])
def test_a_monitor_that_is_dead_harms_nothing(
    sink: Sink, settings: Settings, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings.PING_URL = address.format(port=free_port())

    assert "released" in tasks.reap()

    assert caplog.text.count("the monitor of PING_URL was not told: ConnectionError") == 1
    assert "5ecret" not in caplog.text


@pytest.mark.parametrize("drips", [False, True])
def test_a_monitor_that_hangs_is_not_waited_for(sink: Sink, monkeypatch: pytest.MonkeyPatch, drips: bool) -> None:
    monkeypatch.setattr(ping, "PATIENCE", 0.3)
    sink.drips = drips
    sink.answers.clear()

    with ping.reported():
        _until(lambda: bool(sink.told))  # the round is at work while the monitor hangs

    assert not sink.answers.is_set()  # it is over, and nobody has been answered


def test_an_error_of_its_own_ends_nothing(
    sink: Sink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> list[str]:
        raise RuntimeError("a row that is odd")

    monkeypatch.setattr(ping, "what_is_wrong", broken)

    assert "released" in tasks.reap()
    assert "the report to PING_URL: error of our own" in caplog.text


def test_a_round_that_fails_has_no_end(sink: Sink) -> None:
    def reap() -> None:
        with ping.reported():
            _until(lambda: bool(sink.told))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        reap()

    assert [path for _, path, _ in sink.told] == [f"{PATH}/start"]


def test_the_address_is_not_in_what_the_http_library_logs(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tasks.reap()
    record = logging.LogRecord("urllib3", logging.DEBUG, "", 0, '"GET %s/start HTTP/1.1" 200', (PATH,), None)
    HideSecretPaths().filter(record)

    assert record.getMessage() == '"GET /***/start HTTP/1.1" 200'
    assert "5ecret" not in caplog.text
