"""Messages are made of each notice once, in its order, whoever makes them and whatever happens to them."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tests.factories import AccountFactory, GroupFactory
from accounts.tests.tables import postgres_database
from syncing.models import Channel, Event, Message, Notice
from syncing.notifications import notices, outbox, rendering
from syncing.services.runs.close import close_run
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.notifications.outbox_scene import RUNS, scene
from syncing.tests.notifications.telling import listen, titles, told

ONCE = {
    "killed_by": 9,
    "lost": 0,
    "half": 0,
    "made": RUNS * 5 // 2,
    "left": 0,
    "told": {"every": "FW" * (RUNS // 2), "changed": "FW" * (RUNS // 2), "newly_bad": "F" * (RUNS // 2)},
    "known": [["changed", {}], ["every", {}], ["newly_bad", {}]],
}


@pytest.mark.django_db(transaction=True)
def test_several_at_once_and_a_kill_tell_everything_once_and_in_order() -> None:
    assert json.loads(json.dumps(scene())) == ONCE


def test_the_same_on_postgresql(postgres_url: str, postgres_tables: str) -> None:
    program = "import json, django; django.setup(); from syncing.tests.notifications.outbox_scene import scene; "
    with postgres_database(postgres_url, f"test_outbox_{os.getpid()}", postgres_tables) as url:
        env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "kommosync.settings_test"}
        command = [sys.executable, "-c", program + "print(json.dumps(scene()))"]
        done = subprocess.run(command, env=env, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ONCE


@pytest.mark.django_db
def test_nothing_to_tell_is_one_question() -> None:
    listen()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert outbox.make_messages() == 0
    assert len(asked) == 1


@pytest.mark.django_db
def test_what_cannot_be_rendered_is_dropped_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    listen("first")
    listen("odd", language="pt-br")
    listen("last")
    group = GroupFactory()

    def broken(digest: Any, decision: Any, channel: Channel) -> Any:
        if channel.name == "odd":
            raise KeyError("facts")
        return render(digest, decision, channel)

    render = rendering.render
    monkeypatch.setattr(outbox, "render", broken)
    notices.pause_ended(group)

    assert [message.channel.name for message in told()] == ["first", "last"]
    assert "no message is made of a notice of pause_ended" in caplog.text
    notices.pause_ended(group)
    assert len(told()) == 2


@pytest.mark.django_db
def test_a_notice_that_nobody_understands_is_dropped_and_the_next_one_told(caplog: Any) -> None:
    listen(events=["unheard_of", Event.PAUSE_ENDED, Event.HEALING_GAVE_UP])
    group = GroupFactory()
    Notice.objects.create(event="unheard_of", group=group)
    Notice.objects.create(event=Event.HEALING_GAVE_UP, group=group, facts={"odd": 1})
    notices.pause_ended(group)
    assert titles() == ["A pause has ended: Branches"]
    assert caplog.text.count("no message is made of a notice of") == 2


@pytest.mark.django_db
def test_what_a_channel_knows_stays_when_its_message_could_not_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    listen()
    group = GroupFactory()
    account = AccountFactory(group=group)

    def fails() -> None:
        run = RunFactory(state="running", group=group)
        AccountRunFactory(run=run, account=account, state="failed", reason="unpaid")
        close_run(run.pk)

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "render", None)
        fails()
        assert told() == []
    fails()
    assert len(told()) == 1


@pytest.mark.django_db
def test_what_is_asked_of_the_database_does_not_grow_with_the_accounts() -> None:
    counts = []
    for number in (3, 30):
        Message.objects.all().delete()
        Channel.objects.all().delete()
        listen()
        group = GroupFactory(name=f"Group of {number}")
        run = RunFactory(state="running", group=group)
        for each in range(number):
            AccountRunFactory(
                run=run, account=AccountFactory(group=group, subdomain=f"of-{number}-{each}"), state="failed"
            )
        close_run(run.pk)
        with CaptureQueriesContext(connection) as asked:
            assert len(titles()) == 1
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "expected"), [(23, 1), (25, 0)])
def test_what_is_older_than_a_day_is_not_told_any_more(hours: float, expected: int) -> None:
    listen()
    notices.pause_ended(GroupFactory())
    Notice.objects.update(at=timezone.now() - timedelta(hours=hours))
    assert len(told()) == expected
