"""Messages of real runs by real processes: no run waits for them, and who uses cron gets his, too."""

import json
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from accounts.tests.laws import only_deep
from accounts.tests.tables import connected
from syncing.models import Channel
from syncing.notifications.addresses import kind_of
from syncing.tests.installation import Installation, new_franchise, wait_until
from syncing.tests.notifications.sinks import HttpSink, dead_port, http_sink, smtp_sink

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]


@pytest.fixture
def sinks() -> Iterator[dict[str, HttpSink]]:
    with ExitStack() as stack:
        manners: dict[str, dict[str, Any]] = {"well": {}, "failing": {"status": 500}, "hanging": {"manner": "hang"}}
        manners["dripping"] = {"manner": "drip"}  # up to the total time of a message
        yield {name: stack.enter_context(http_sink(**manner)) for name, manner in manners.items()}


def with_channels(installation: Installation, *addresses: str, **ports: int) -> Installation:
    """Adds channels, to ports by their names, and takes the token from one slave, so that every run is incomplete."""
    wanted = {**{name: f"json://127.0.0.1:{port}/s3cr3t" for name, port in ports.items()}, **{a: a for a in addresses}}
    database = installation.database or f"sqlite:///{installation.workspace.directory / 'kommosync.sqlite3'}"
    with installation.blocker.unblock(), connected(database) as alias:
        for name, address in wanted.items():
            facts = {"kind": kind_of(address), "events": ["run_failed"], "when": "every"}
            Channel(name=name, address=address, **facts).save(using=alias)
    installation.accounts[-1].revoke_token()
    return installation


def state_of(installation: Installation, channel: str) -> tuple[Any, ...]:
    """The first message to a channel: when it was sent, is due, why it failed, its tries, when it was made."""
    sql = f"""
        SELECT message.sent_at, message.due_at, message.failure, message.attempts, message.created_at
        FROM syncing_message message JOIN syncing_channel channel ON channel.id = message.channel_id
        WHERE channel.name = '{channel}' ORDER BY message.id
    """
    return (installation.rows(sql) or [(None, None, "", 0, "")])[0]


@only_deep
@pytest.mark.parametrize("backend", ["sqlite", "postgres+redis"])
def test_no_run_waits_for_a_dead_a_hanging_a_dripping_or_a_failing_channel(
    make, backend: str, sinks: dict[str, HttpSink]
) -> None:
    with dead_port() as dead:
        installation = make(new_franchise(slaves=3), backend, NOTIFY_PRIVATE="on", SYNC_TICK="0.2")
        with_channels(installation, dead=dead, **{name: sink.port for name, sink in sinks.items()})
        installation.workspace.start_worker()
        installation.workspace.manage("sync_all", "--queue", "--json", expect=(1,))
        wait_until(lambda: bool(sinks["dripping"].taken), 60, "message to the dripping channel")
        sent_at, _, failure, attempts, made_at = state_of(installation, "dripping")
        ended = installation.rows("SELECT state, finished_at FROM syncing_syncrun")
        assert (sent_at, failure, attempts) == (None, "", 1)  # it is on its way, and the run has ended
        assert [state for state, _ in ended] == ["partial"]
        assert ended[0][1] <= made_at  # the message is made after its run, by somebody else

        installation.workspace.manage("sync_all", "--queue", "--json", expect=(1,))  # while that one is on its way

        wait_until(lambda: state_of(installation, "hanging")[2] != "", 60, "failure of the hanging channel")

        for name, sentence in {
            "dead": "The service could not be reached.",
            "failing": "The service is in trouble (HTTP status 500).",
            "hanging": "The service did not answer in time.",
        }.items():
            sent_at, due_at, failure, attempts, *_ = state_of(installation, name)
            assert failure.startswith(sentence)
            assert (sent_at, attempts) == (None, 1)
            assert due_at is not None  # it is tried again
        wait_until(lambda: len(sinks["well"].taken) == 2, 60, "messages to the good channel")
        assert sinks["well"].taken[0].json["title"].startswith("1 of 3 accounts failed")
        log = "".join(path.read_text() for path in installation.workspace.logs.glob("*.log"))
        assert "s3cr3t" not in log


def test_a_command_without_workers_sends_its_messages_and_prints_its_document_alone(
    make, sinks: dict[str, HttpSink]
) -> None:
    with smtp_sink() as mails:
        installation = make(new_franchise(slaves=2), NOTIFY_PRIVATE="on", EMAIL_URL=f"smtp://127.0.0.1:{mails.port}")
        with_channels(installation, "ops@franchise.example", well=sinks["well"].port)
        printed = installation.workspace.manage("sync_all", "--json", expect=(1,))
    assert json.loads(printed)["state"] == "partial"
    assert len(sinks["well"].taken) == 1
    assert mails.recipients == ["ops@franchise.example"]
    assert state_of(installation, "ops@franchise.example")[0] is not None


@only_deep
def test_runs_take_no_longer_with_channels_that_hang_drip_or_fail_than_with_none(
    make, sinks: dict[str, HttpSink]
) -> None:
    installation = make(new_franchise(slaves=30), latency=0.04, NOTIFY_PRIVATE="on", SYNC_TICK="0.2")
    installation.workspace.start_worker()
    installation.workspace.manage("sync_all", "--queue", "--json")
    with_channels(installation)
    took: dict[str, float] = {}
    for name in ("without", "with"):
        documents = [_run(installation) for _ in range(5)]
        took[name] = statistics.median(document["duration_s"] for document in documents)
        if name == "without":
            with_channels(installation, **{each: sink.port for each, sink in sinks.items()})
    wait_until(lambda: len(sinks["well"].taken) >= 4, 60, "messages, sent between and beside the runs")
    assert took["with"] < 1.25 * took["without"] + 0.5


def _run(installation: Installation) -> dict[str, Any]:
    printed = installation.workspace.manage("sync_all", "--queue", "--json", expect=(1,))
    return dict(json.loads(printed))
