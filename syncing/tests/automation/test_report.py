"""The weekly report: on Monday mornings of each group, once for each channel, however many workers there are."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from accounts.models import SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.automation import report
from syncing.models import Channel, Drift, Event, Message, Notice, ToldState
from syncing.notifications import outbox
from syncing.notifications.report_words import share
from syncing.tests.commands import command
from syncing.tests.factories import DriftFactory, RunFactory, difference
from syncing.tests.notifications.telling import listen
from syncing.tests.waving import snapshot

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 12, 7, 11, tzinfo=UTC)  # 08:00 in Sao Paulo
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def group() -> SyncGroup:
    """Its north differs, its south is equal, of west nothing is known."""
    with time_machine.travel(MONDAY - 3 * DAY, tick=False):
        group = GroupFactory(time_zone="America/Sao_Paulo")
        cast = AccountFactory.cast(group)
        cast["east"].delete()
        run = RunFactory(group=group)
        base = snapshot(run)
        same = {"run": run, "base_pipelines": base, "base_fields": base, "converged_at": MONDAY - 2 * DAY}
        DriftFactory(account=cast["north"], run=run, rows=[difference()])
        DriftFactory(account=cast["south"], rows=[], **same)
        listen("ops")
    Drift.objects.update(checked_at=MONDAY - 2 * DAY)
    return group


def at(moment: datetime) -> list[str]:
    """The titles of what is sent at this moment, with the name of the channel."""
    with time_machine.travel(moment, tick=False):
        before = set(Message.objects.values_list("pk", flat=True))
        report.write_due()
        outbox.make_messages()
        new = Message.objects.filter(event=Event.WEEKLY_REPORT).exclude(pk__in=before).order_by("channel")
        return [f"{message.channel}: {message.title}" for message in new]


TITLE = "ops: 1 of 3 accounts (33 %) equal the master: Branches"


def test_it_comes_on_monday_at_eight_in_the_time_zone_of_the_group_and_once(group: SyncGroup) -> None:
    assert at(MONDAY - timedelta(seconds=1)) == []
    assert at(MONDAY) == [TITLE]
    assert [each for hours in range(1, 24 * 7) for each in at(MONDAY + hours * HOUR)] == []
    assert len(at(MONDAY + 7 * DAY)) == 1


@pytest.mark.parametrize(("late", "expected"), [(23 * HOUR, 1), (25 * HOUR, 0), (6 * DAY, 0)])
def test_one_that_was_missed_is_sent_within_a_day(group: SyncGroup, late: timedelta, expected: int) -> None:
    assert len(at(MONDAY + late)) == expected


def test_a_new_channel_gets_its_first_one_on_the_next_monday(group: SyncGroup) -> None:
    with time_machine.travel(MONDAY + HOUR, tick=False):
        listen("newcomer")
    assert len(at(MONDAY + 2 * HOUR)) == 1  # to the other one
    with time_machine.travel(MONDAY + 3 * HOUR, tick=False):
        assert report.write_due() == 0
    assert [each.split(":")[0] for each in at(MONDAY + 7 * DAY)] == ["ops", "newcomer"]


def test_a_channel_of_all_groups_gets_one_for_each_and_at_the_time_of_each(group: SyncGroup) -> None:
    with time_machine.travel(MONDAY - DAY, tick=False):
        early = GroupFactory(name="Lisboa", time_zone="Europe/Lisbon")
        AccountFactory(group=early)
        listen("theirs", group=early)
    three_hours_before = at(MONDAY - 3 * HOUR)
    assert three_hours_before == [
        "ops: 0 of 1 account (0 %) equals the master: Lisboa",
        "theirs: 0 of 1 account (0 %) equals the master: Lisboa",
    ]
    assert at(MONDAY) == [TITLE]


def test_who_does_not_want_it_or_is_switched_off_does_not_get_it(group: SyncGroup) -> None:
    with time_machine.travel(MONDAY - DAY, tick=False):
        listen("other", events=[Event.RUN_FAILED])
        listen("off", enabled=False)
    assert at(MONDAY) == [TITLE]


def test_several_workers_write_it_and_each_channel_gets_it_once(group: SyncGroup) -> None:
    with time_machine.travel(MONDAY, tick=False):
        assert report.write_due() == 1
        assert report.write_due() == 0
        (notice,) = Notice.objects.all()
        Notice.objects.create(event=notice.event, group=group, facts=notice.facts)  # both looked before either wrote
        outbox.make_messages()
        assert report.write_due() == 0
    assert Message.objects.count() == 1
    assert ToldState.objects.get(event=Event.WEEKLY_REPORT).told_at == MONDAY


def test_in_the_week_of_a_clock_change_it_comes_at_eight_all_the_same(group: SyncGroup) -> None:
    SyncGroup.objects.update(time_zone="Europe/Berlin")
    group.refresh_from_db()
    for moment in (datetime(2026, 3, 30, 6, tzinfo=UTC), datetime(2026, 10, 26, 7, tzinfo=UTC)):
        assert report.last_due(group, moment) == moment
        assert report.last_due(group, moment - HOUR) < moment - 6 * DAY


def test_by_hand_a_channel_gets_it_now_and_on_monday_again(group: SyncGroup) -> None:
    with time_machine.travel(MONDAY - DAY, tick=False):
        other = listen("other")
        assert report.write_now(other) == 1
        assert outbox.make_messages() == 1
    assert Message.objects.get().channel == other
    assert [each.split(":")[0] for each in at(MONDAY)] == ["ops", "other"]


def test_the_command_sends_it_to_a_channel_that_is_on(group: SyncGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncing.management.commands.channel.send_without_workers", outbox.make_messages)
    with time_machine.travel(MONDAY, tick=False):
        code, said, _errors = command("channel", "report", "ops")
    assert (code, said) == (0, "Reports on their way by the channel ops: 1.\n")
    assert Message.objects.get().title == TITLE.removeprefix("ops: ")
    Channel.objects.update(enabled=False)
    code, _said, errors = command("channel", "report", "ops")
    assert (code, Message.objects.count()) == (2, 1)
    assert "The channel ops is switched off. Switch it on first" in errors


def test_an_e_mail_has_a_table_and_a_file_without_formulas(group: SyncGroup) -> None:
    group.accounts.filter(subdomain="north").update(name="=HYPERLINK(A1)\nx")
    group.accounts.filter(subdomain="west").update(name="<b>West</b>")
    with time_machine.travel(MONDAY - DAY, tick=False):
        listen("mail", kind="email")
    at(MONDAY)
    message = Message.objects.get(channel__name="mail")

    assert message.attachment_name == "conformity-branches-2026-12-07.csv"
    rows = list(csv.DictReader(io.StringIO(message.attachment.removeprefix("\ufeff"))))
    assert [(row["name"], row["subdomain"], row["state"], row["why"]) for row in rows] == [
        ("'=HYPERLINK(A1) x", "north", "differs", ""),
        ("<b>West</b>", "west", "unknown", "never_read"),
        ("South", "south", "equal", ""),
    ]
    assert rows[0]["since"].startswith("2026-12-04T11:00:00")
    assert message.html.count("<tr>") == 4
    assert "<b>" not in message.html
    assert "&lt;b&gt;West&lt;/b&gt;" in message.html
    chat = Message.objects.get(channel__name="ops")
    assert (chat.html, chat.attachment, chat.text.splitlines()[0]) == (
        "",
        "",
        "Differs from the master: 1 account (=HYPERLINK(A1) x). The oldest difference is of 4 Dec 2026.",
    )


def test_a_report_that_fails_in_one_group_comes_in_the_others(group: SyncGroup, monkeypatch, caplog: Any) -> None:
    with time_machine.travel(MONDAY - DAY, tick=False):
        other = GroupFactory(name="Other", time_zone="America/Sao_Paulo")
        AccountFactory(group=other)
    write = report.report_of
    monkeypatch.setattr(report, "report_of", lambda group, due: write(group, due) if group != other else 1 / 0)
    assert at(MONDAY) == [TITLE]
    assert "the report of the group" in caplog.text


def test_100_percent_is_said_only_of_all() -> None:
    assert [share(equal, total) for equal, total in [(112, 119), (999, 1000), (3, 3), (0, 0)]] == [94, 99, 100, 0]
