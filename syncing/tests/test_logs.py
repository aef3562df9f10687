"""What the log of this project shows, and what it keeps to itself."""

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextvars import copy_context
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client
from django.utils import timezone

from accounts.log_context import current_ids, log_ids
from accounts.models import Account
from accounts.services.credentials import database_thread
from accounts.simulator.faults import Fault
from syncing import replication
from syncing.api import webhooks
from syncing.error_boundary import survived
from syncing.logs import JsonFormatter
from syncing.models import Message
from syncing.notifications import delivery, transport
from syncing.operations.child_processes import free_port, wait_for_http, web_server
from syncing.operations.envfile import ROOT, child_environment
from syncing.services.actors import COMMAND
from syncing.services.runs.start import start_run
from syncing.tests.factories import RunFactory
from syncing.tests.house import House
from syncing.tests.installation import new_franchise
from syncing.tests.notifications.channels import new_channel, new_message

PATH = "/api/sync/webhook/token-of-north"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the handler of the settings writes; it is the only one of ours."""
    (handler,) = (each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler)
    written = io.StringIO()
    monkeypatch.setattr(handler, "stream", written)
    return written


def test_a_refused_invite_is_logged_without_its_address(log: io.StringIO, db: None) -> None:
    assert Client().get("/invite/12:signature-of-twelve").status_code == 404
    assert "/invite/***" in log.getvalue()
    assert "signature-of-twelve" not in log.getvalue()


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_refused_call_of_the_webhook_is_logged_without_its_token(log: io.StringIO, method: str) -> None:
    assert getattr(Client(), method)(PATH).status_code == 405
    assert "/api/sync/webhook/***" in log.getvalue()
    assert "token-of-north" not in log.getvalue()


def test_a_failure_in_the_webhook_is_logged_without_its_token(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(token: str) -> None:
        raise RuntimeError(f"no answer for {PATH}")

    monkeypatch.setattr(webhooks, "group_for_webhook", fail)
    assert Client(raise_request_exception=False).post(PATH).status_code == 500
    assert log.getvalue().count("/api/sync/webhook/***") == 2
    assert "Traceback" in log.getvalue()
    assert "token-of-north" not in log.getvalue()


@pytest.mark.parametrize("name", ["django", "django.server"])
def test_no_logger_goes_past_the_handler_that_hides(name: str) -> None:
    assert logging.getLogger(name).handlers == []
    assert logging.getLogger(name).propagate


def test_other_lines_stay_as_they_are(log: io.StringIO) -> None:
    logging.getLogger("kommosync").error("%s of %d", "/api/sync/runs/7", 3)
    assert "/api/sync/runs/7 of 3" in log.getvalue()


# -- JSON --

logger = logging.getLogger("kommosync.tests")


class JsonLog:
    """What was written, line by line."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def json_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[JsonLog]:
    """What the handler of the settings writes with LOG_FORMAT=json and LOG_LEVEL=INFO."""
    root, written = logging.getLogger(), JsonLog()
    (handler,) = (each for each in root.handlers if type(each) is logging.StreamHandler)
    monkeypatch.setattr(handler, "stream", written.stream)
    monkeypatch.setattr(handler, "formatter", JsonFormatter())
    before = root.level
    root.setLevel(logging.INFO)
    yield written
    root.setLevel(before)


def test_a_line_is_one_object(json_log: JsonLog) -> None:
    logger.warning('two\nlines, "quotes", \u2028 of %s', "North")
    (line,) = json_log.lines
    assert line.keys() == {"time", "level", "logger", "message"}
    assert (line["level"], line["logger"]) == ("WARNING", "kommosync.tests")
    assert line["message"] == 'two\nlines, "quotes", \u2028 of North'
    moment = datetime.fromisoformat(line["time"])
    assert moment.utcoffset() == timedelta(0)
    assert abs(moment - timezone.now()) < timedelta(minutes=1)


def test_what_no_terminal_could_show_is_escaped() -> None:
    text = JsonFormatter().format(logging.makeLogRecord({"msg": "a lone \ud800, ação"}))
    assert text.isascii()
    assert json.loads(text)["message"] == "a lone \ud800, ação"


def test_an_error_is_one_line_with_its_traceback_and_without_its_secrets(json_log: JsonLog) -> None:
    with survived("the walk", run=7, group=3):
        raise RuntimeError(f"no answer for {PATH}")
    (line,) = json_log.lines
    assert (line["run"], line["group"], "account" in line) == (7, 3, False)
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("/api/sync/webhook/***")
    assert "token-of-north" not in json_log.stream.getvalue()


def test_ids_are_those_of_the_thread_and_end_with_the_block(json_log: JsonLog) -> None:
    with log_ids(run=1, group=2):
        with log_ids(account=3, run=4):
            logger.warning("inside")
            threads = [threading.Thread(target=logger.warning, args=["in another thread"])]
            threads.append(threading.Thread(target=copy_context().run, args=[logger.warning, "taken along"]))
            for thread in threads:
                thread.start()
                thread.join()
            logger.warning("its own", extra={"account": 9})
        logger.warning("outside")
    ids = [{name: line[name] for name in ("run", "group", "account") if name in line} for line in json_log.lines]
    all_ids = {"run": 4, "group": 2, "account": 3}
    assert ids == [all_ids, {}, all_ids, {**all_ids, "account": 9}, {"run": 1, "group": 2}]
    assert current_ids() == {}


@pytest.mark.django_db(transaction=True)
def test_what_the_database_thread_logs_has_the_ids_of_who_asked(json_log: JsonLog) -> None:
    with log_ids(account=5):
        database_thread.run(lambda: logger.warning("stored"))
    assert json_log.lines[0]["account"] == 5


def test_a_run_can_be_followed_by_its_id_event_by_event(house: House, json_log: JsonLog) -> None:
    """Each event is one line; also those of the client, which knows no run."""
    house.world.accounts["master"].add_pipeline("Sales", stages=["New"])
    house.world.faults.add(Fault("429", subdomain="north", times=1))
    house.world.faults.add(Fault("402", subdomain="south", times=None))
    run = start_run(group=house.group, by=COMMAND).run
    house.work(replicate=replication.replicate)

    lines = [line for line in json_log.lines if line.get("run") == run.pk]
    assert {line["group"] for line in lines if line["logger"] != "django-q"} == {house.group.pk}
    texts = [line["message"] for line in lines]
    assert texts[0] == f"run {run.pk} created: full, apply, by command line (command)"
    assert texts[1] == f"run {run.pk} begins"
    assert sum(text.startswith(f"run {run.pk} of ") for text in texts) == 1  # its end
    for name, account in house.accounts.items():
        ended = [line for line in lines if f": {name} ended as " in line["message"]]
        assert len(ended) == (account.role == Account.Role.SLAVE)
        assert all(line["account"] == account.pk for line in ended)
    (repeat,) = [line for line in lines if line["logger"] == "accounts.kommo.retry"]
    assert repeat["account"] == house.accounts["north"].pk
    assert f"run {run.pk}: south ended as failed (unpaid)" in "\n".join(texts)
    levels = {line["level"] for line in lines if "ended as" in line["message"]}
    assert levels == {"INFO"}


def test_messages_are_logged_with_how_they_ended(json_log: JsonLog, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter(["The service is in trouble (HTTP status 500).", ""])
    monkeypatch.setattr(transport, "send", lambda channel, message: next(failures))
    run = RunFactory()
    for _ in range(2):
        message = new_message(new_channel(), run=run, group=run.group, due_at=timezone.now())
        delivery.send_due()
        Message.objects.filter(pk=message.pk).update(due_at=None)
    lines = [line for line in json_log.lines if line["logger"] == delivery.__name__]
    assert [(line["level"], line["run"], line["group"]) for line in lines] == [
        ("WARNING", run.pk, run.group_id),
        ("INFO", run.pk, run.group_id),
    ]
    assert lines[0]["message"].endswith("and is tried again later: The service is in trouble (HTTP status 500).")


def manage(tmp_path: Path, *args: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=ROOT,
        env={**child_environment(tmp_path / ".env"), "VAR_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_format_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", LOG_FORMAT="xml")
    assert done.returncode == 2
    assert done.stderr.startswith("Configuration error: LOG_FORMAT is 'xml'; it must be one of line, json.")


LAST_WORDS = """
import django; django.setup()
import threading
def fail(): raise RuntimeError("odd")
thread = threading.Thread(target=fail, name="watch"); thread.start(); thread.join()
fail()
"""


def test_what_ends_a_thread_or_the_process_is_json_too(tmp_path: Path) -> None:
    own = {"VAR_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "kommosync.settings", "LOG_FORMAT": "json"}
    done = subprocess.run(
        [sys.executable, "-c", LAST_WORDS],
        cwd=ROOT,
        env={**child_environment(tmp_path / ".env"), **own},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert [line["level"] for line in lines] == ["ERROR", "CRITICAL"]
    assert lines[0]["message"] == "the thread watch ends with an error"
    assert all(line["exception"].endswith("RuntimeError: odd") for line in lines)


SAID = ("Worker ready", "Stopping:", "KommoSync")  # by the commands, on stdout


@pytest.mark.timeout(300)
def test_every_line_of_a_worker_and_a_web_server_is_json(make: Any) -> None:
    """The queue sets up a handler of its own where it finds none, and the web server logs as waitress."""
    installation = make(new_franchise(slaves=2), LOG_FORMAT="json", LOG_LEVEL="INFO")
    workspace, port = installation.workspace, free_port()
    workspace.start_worker()
    web = workspace.start("web", *web_server("127.0.0.1", port))
    wait_for_http(f"http://127.0.0.1:{port}/healthz", web, what="web", log=workspace.logs / "web.log", seconds=60)
    assert requests.get(f"http://127.0.0.1:{port}/api/sync/status", timeout=10).status_code == 401
    assert workspace.document("sync_all", "--queue", "--json")["state"] == "succeeded"
    workspace.stop_all()

    for name, loggers in {"worker": {"django-q", "syncing.execution.account_task"}, "web": {"django.request"}}.items():
        text = (workspace.logs / f"{name}.log").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines() if not line.startswith(SAID)]
        assert loggers <= {line["logger"] for line in lines}, text
        assert len({json.dumps(line) for line in lines}) == len(lines), "a line came twice"
