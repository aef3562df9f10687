"""The process that sends messages: started when it is needed, alone, ended with its parent, and never waited for."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.utils import timezone
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from accounts.tests.tables import connected, make_tables
from syncing.models import Channel, Message, Process, ProcessKind
from syncing.tests.notifications.channels import new_channel, new_message
from syncing.tests.notifications.sinks import HttpSink, http_sink
from syncing.tests.worker.test_worker import alive, family, on_linux, until
from syncing.worker import messenger_supervisor
from syncing.worker.messenger_supervisor import MessengerProcess, MessengerSupervisor

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[MessengerProcess]]:
    """The messengers that were started, with a stand-in for their program; something is always due."""
    made: list[MessengerProcess] = []
    monkeypatch.setattr(messenger_supervisor, "COMMAND", SLEEP)
    monkeypatch.setattr(messenger_supervisor, "PAUSE", 0.0)
    monkeypatch.setattr(messenger_supervisor, "is_needed", lambda: True)
    real = MessengerProcess.__init__

    def start(self: MessengerProcess) -> None:
        real(self)
        made.append(self)

    monkeypatch.setattr(MessengerProcess, "__init__", start)
    yield made
    for each in made:
        each.end(patience=0)


def turn(supervisor: MessengerSupervisor) -> None:
    """What the supervisor of a worker does in one turn of its loop."""
    supervisor.start_if_needed()
    supervisor.watch()


def test_there_is_one_at_a_time_and_nobody_waits_for_it(starts: list[MessengerProcess]) -> None:
    supervisor = MessengerSupervisor()
    began = time.monotonic()
    for _ in range(50):
        turn(supervisor)
    assert time.monotonic() - began < 5  # it runs for a minute
    assert len(starts) == 1

    supervisor.end(patience=0)
    assert starts[0].result() is not None


def test_the_next_one_comes_when_it_has_ended_well(
    starts: list[MessengerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger_supervisor, "COMMAND", (sys.executable, "-c", ""))
    supervisor = MessengerSupervisor()

    def third() -> bool:
        turn(supervisor)
        return len(starts) == 3

    assert until(third)


def test_one_that_fails_is_not_started_again_and_again(
    starts: list[MessengerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger_supervisor, "COMMAND", (sys.executable, "-c", "raise SystemExit(1)"))
    supervisor = MessengerSupervisor()
    supervisor.start_if_needed()
    starts[0].end(patience=60)
    for _ in range(50):
        turn(supervisor)
    assert len(starts) == 1
    monkeypatch.setattr(supervisor, "_next_start", 0.0)  # a minute later
    turn(supervisor)
    assert len(starts) == 2


@on_linux
def test_one_that_takes_too_long_is_ended_with_what_it_has_started(
    starts: list[MessengerProcess], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    script = "import subprocess, sys, time; subprocess.Popen([sys.executable, *sys.argv[1:]]); time.sleep(60)"
    monkeypatch.setattr(messenger_supervisor, "COMMAND", (sys.executable, "-c", script, *SLEEP[1:]))
    supervisor = MessengerSupervisor()
    supervisor.start_if_needed()
    assert until(lambda: len(family(starts[0]._child.pid)) == 1)
    everybody = {starts[0]._child.pid, *family(starts[0]._child.pid)}

    supervisor.watch()
    assert alive(everybody) == everybody
    monkeypatch.setattr(messenger_supervisor, "LONGEST_LIFE", 0.0)
    supervisor.watch()

    assert until(lambda: not alive(everybody))
    assert "took more than 0 s and was ended" in caplog.text


@pytest.mark.django_db
def test_it_is_needed_only_when_there_is_something_to_tell() -> None:
    assert not messenger_supervisor.is_needed()
    message = new_message(new_channel(), due_at=timezone.now())
    assert messenger_supervisor.is_needed()
    Channel.objects.update(enabled=False)
    assert not messenger_supervisor.is_needed()
    message.delete()


# -- the real process --


class Post:
    """A database of its own for the real process, and a channel to a sink in it."""

    def __init__(self, directory: Path, sink: HttpSink) -> None:
        self.url = f"sqlite:///{directory}/messenger.sqlite3"
        make_tables(directory / "messenger.sqlite3")
        self.sink = sink
        environment = {"DJANGO_SETTINGS_MODULE": "kommosync.settings_test", "NOTIFY_PRIVATE": "on"}
        self.environment = {**os.environ, **environment, "DATABASE_URL": self.url}

    def put_message(self) -> None:
        with connected(self.url) as alias:
            address = f"json://s3cr3t@{self.sink.address}/s3cr3t"
            channel = Channel(name="Ops", kind="json", address=address, events=["run_failed"])
            channel.save(using=alias)
            Message(channel=channel, title="2 of 119 failed", text="x", due_at=timezone.now()).save(using=alias)

    def message(self) -> Message:
        with connected(self.url) as alias:
            return Message.objects.using(alias).select_related("channel").get()

    def start(self, *command: str, **how: Any) -> "subprocess.Popen[str]":
        command = command or (sys.executable, "-m", "syncing.worker.messenger")
        return subprocess.Popen(  # type: ignore[call-overload]
            command, cwd=project.BASE_DIR, env=self.environment, text=True, stderr=subprocess.PIPE, **how
        )


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with http_sink() as running:
        yield running


@pytest.fixture
def post(tmp_path: Path, sink: HttpSink, django_db_blocker: DjangoDbBlocker) -> Iterator[Post]:
    with django_db_blocker.unblock():
        made = Post(tmp_path, sink)
        made.put_message()
        yield made


def test_the_process_sends_what_is_due_and_ends(post: Post) -> None:
    process = post.start()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert [taken.json["title"] for taken in post.sink.taken] == ["2 of 119 failed"]
    assert post.message().sent_at is not None


def test_what_fails_stands_in_no_log_with_its_address(post: Post) -> None:
    post.sink.status, post.sink.body = 500, b"s3cr3t traceback"
    post.environment["LOG_LEVEL"] = "DEBUG"
    process = post.start()
    _, errors = process.communicate(timeout=60)
    message = post.message()
    assert message.failure == message.channel.failure == "The service is in trouble (HTTP status 500)."
    assert message.due_at is not None
    assert message.due_at > timezone.now()
    assert "s3cr3t" not in errors


PARENT = """
import django, sys
django.setup()
from syncing.worker.messenger_supervisor import MessengerProcess
MessengerProcess()
print("started", flush=True)
sys.stdin.read()
"""


@on_linux
def test_neither_it_nor_the_process_that_sends_outlives_the_worker(post: Post) -> None:
    post.sink.manner = "drip"  # for a quarter of a minute
    parent = post.start(sys.executable, "-c", PARENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert until(lambda: post.sink.taken)
    everybody = family(parent.pid)
    assert len(everybody) == 2

    killed = time.monotonic()
    parent.kill()
    parent.wait()

    assert until(lambda: not alive(everybody))
    assert time.monotonic() - killed < 8  # and not when there was nothing left to do
    parent.communicate()


# -- commands without workers --


@pytest.mark.django_db
def test_a_command_gives_it_some_seconds_unless_a_worker_is_alive(
    starts: list[MessengerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger_supervisor, "AT_THE_END", 0.2)
    Process.objects.create(name="w", kind=ProcessKind.WORKER, started_at=timezone.now(), heartbeat_at=timezone.now())
    messenger_supervisor.send_without_workers()
    assert starts == []

    Process.objects.all().delete()
    began = time.monotonic()
    messenger_supervisor.send_without_workers()
    assert time.monotonic() - began < 5
    assert starts[0].result() is not None


@pytest.mark.django_db
def test_a_command_does_not_fail_by_it(
    starts: list[MessengerProcess], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(messenger_supervisor, "COMMAND", ("/nowhere/python",))
    messenger_supervisor.send_without_workers()
