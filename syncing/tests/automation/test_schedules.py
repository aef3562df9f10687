"""Schedules: each time starts one run, however many workers look, in every night of the year."""

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.conf import settings

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from accounts.tests.tables import postgres_database
from syncing.automation import schedules
from syncing.automation.tick import tick
from syncing.models import Schedule, SyncRun, Window
from syncing.services import schedules as services
from syncing.services.actors import COMMAND, WEBHOOK
from syncing.services.runs.start import start_run
from syncing.tests.automation.schedules_scene import WORKERS, scene

THREE = datetime(2026, 5, 5, 3, tzinfo=UTC)  # the schedule's time, on a Tuesday
NOBODY_TWICE = {
    "after_the_kill": {
        "killed_by": 9,
        "runs": 0,
        "account_runs": 0,
        "audited": 0,
        "is_due": True,
        "has_run": False,
        "problem": "",
    },
    "settled": 1,
    "after_all": {
        "runs": 1,
        "account_runs": 4,
        "audited": 1,
        "is_due": False,
        "has_run": True,
        "problem": "",
    },
}


@pytest.fixture
def group(db: None) -> SyncGroup:
    return AccountFactory.cast(GroupFactory(time_zone="UTC"))["master"].group


def added(group: SyncGroup, kind: str = "apply", cron: str = "0 3 * * *", **facts: object) -> Schedule:
    """A schedule that was added the evening before."""
    with time_machine.travel(THREE - timedelta(hours=9), tick=False):
        return services.add(Schedule(group=group, kind=kind, cron=cron, **facts), by=COMMAND)


def look(moment: datetime) -> int:
    with time_machine.travel(moment, tick=False):
        return tick()["schedules"]


def after(**delta: float) -> datetime:
    return THREE + timedelta(**delta)


# -- when --


def test_its_first_time_is_the_next_one_after_adding(group: SyncGroup) -> None:
    schedule = added(group)
    assert schedule.next_at == THREE
    assert look(after(seconds=-1)) == 0
    assert not SyncRun.objects.exists()


def test_at_its_time_it_starts_one_run_and_waits_for_the_next(group: SyncGroup) -> None:
    schedule = added(group)
    assert [look(after(seconds=seconds)) for seconds in (0, 15, 30)] == [1, 0, 0]
    run = SyncRun.objects.get()
    schedule.refresh_from_db()
    assert (schedule.run, schedule.next_at, schedule.fired_at) == (run, after(days=1), THREE)
    assert (run.trigger, run.mode, run.purpose, run.type, run.whole_group) == (
        "schedule",
        "apply",
        "sync",
        "full",
        True,
    )


@pytest.mark.parametrize(("kind", "mode", "purpose"), [("plan", "plan", "sync"), ("drift", "plan", "drift")])
def test_plans_and_checks(group: SyncGroup, kind: str, mode: str, purpose: str) -> None:
    added(group, kind)
    look(THREE)
    run = SyncRun.objects.get()
    assert (run.mode, run.purpose, run.trigger) == (mode, purpose, "schedule")


def test_where_plans_need_approval_it_plans(group: SyncGroup) -> None:
    SyncGroup.objects.update(requires_approval=True)
    added(group)
    look(THREE)
    assert SyncRun.objects.get().mode == "plan"


def test_one_that_is_switched_off_or_removed_starts_nothing(group: SyncGroup) -> None:
    off, gone = added(group, enabled=False), added(group)
    services.remove(gone, by=COMMAND)
    assert off.next_at is None
    assert look(THREE) == 0


def test_it_joins_the_run_that_waits_already(group: SyncGroup) -> None:
    waiting = start_run(group=group, by=WEBHOOK).run
    schedule = added(group)
    look(THREE)
    schedule.refresh_from_db()
    assert schedule.run == waiting == SyncRun.objects.get()


# -- missed --


@pytest.mark.parametrize(("minutes", "started"), [(1, 1), (59, 1), (60, 1), (61, 0), (3000, 0)])
def test_a_time_that_was_missed_is_made_up_for_once_within_its_grace(
    group: SyncGroup, minutes: int, started: int
) -> None:
    schedule = added(group, cron="0 3 * * 2", grace=60)
    assert [look(after(minutes=minutes)) for _ in range(3)] == [1, 0, 0]
    assert SyncRun.objects.count() == started
    schedule.refresh_from_db()
    assert schedule.next_at == after(days=7)
    assert schedule.problem == (
        "" if started else "The time 5 May 2026, 03:00 (UTC) was missed by more than the grace of 60 minutes."
    )


def test_what_is_not_made_up_for_is_logged(group: SyncGroup, caplog: pytest.LogCaptureFixture) -> None:
    added(group)
    with caplog.at_level(logging.WARNING):
        look(after(hours=2))
    assert "started nothing: The time 5 May 2026, 03:00 (UTC) was missed" in caplog.text


def test_of_many_times_that_were_missed_only_the_last_counts(group: SyncGroup) -> None:
    schedule = added(group, cron="0 * * * *", grace=20)
    look(after(hours=50, minutes=15))
    assert SyncRun.objects.count() == 1
    schedule.refresh_from_db()
    assert schedule.next_at == after(hours=51)


def test_without_a_grace_a_worker_that_is_well_is_in_time(group: SyncGroup) -> None:
    added(group, grace=0)
    look(after(seconds=29))  # it looks every 15 seconds
    assert SyncRun.objects.count() == 1


def test_a_time_that_worked_takes_the_problem_of_the_last_one_away(group: SyncGroup) -> None:
    schedule = added(group)
    look(after(hours=2))
    look(after(days=1))
    schedule.refresh_from_db()
    assert (schedule.problem, SyncRun.objects.count()) == ("", 1)


# -- what keeps it --


def test_what_a_run_is_refused_for_is_stored(group: SyncGroup) -> None:
    Account.objects.filter(role="master").update(paused=True)
    schedule = added(group)
    look(THREE)
    schedule.refresh_from_db()
    assert (schedule.problem, schedule.run) == ("The master master is paused. Resume it first.", None)
    assert schedule.next_at == after(days=1)


def test_while_the_group_is_frozen_the_run_waits_and_a_check_does_not(group: SyncGroup) -> None:
    Window.objects.create(group=group, kind="deny", cron="0 2 * * *", minutes=120)
    added(group), added(group, "drift")
    look(THREE)
    notes = dict(SyncRun.objects.values_list("purpose", "note"))
    assert notes == {"sync": "The group Branches is frozen until 5 May 2026, 04:00 (UTC).", "drift": ""}


def test_while_the_group_is_paused_the_run_waits_and_what_only_looks_is_left_out(group: SyncGroup) -> None:
    SyncGroup.objects.update(paused=True, pause_reason="holidays")
    apply, plan, drift = (added(group, kind) for kind in ("apply", "plan", "drift"))
    look(THREE)
    for schedule in (apply, plan, drift):
        schedule.refresh_from_db()
    assert (apply.problem, apply.run.note) == ("", "The group Branches is paused. Reason: holidays.")
    assert plan.problem == drift.problem == "The group Branches is paused. Reason: holidays."
    assert (plan.run, drift.run) == (None, None)


def test_one_odd_row_keeps_no_other_from_starting(group: SyncGroup) -> None:
    odd = added(group)
    added(group, "plan")
    Schedule.objects.filter(pk=odd.pk).update(cron="by hand")
    assert look(THREE) == 1
    assert SyncRun.objects.get().mode == "plan"


# -- nights in which clocks change --


def fired_in(schedule: Schedule, begin: datetime, end: datetime) -> list[str]:
    """The times at which it fires, as a clock on the wall shows them, for a worker that looks every half hour."""
    zone, fired = ZoneInfo(schedule.zone), []
    moment = begin
    while moment < end:
        with time_machine.travel(moment, tick=False):
            if schedules.start_due():
                fired.append(f"{moment.astimezone(zone):%d %H:%M%z}")
                SyncRun.objects.all().delete()
        moment += timedelta(minutes=30)
    return fired


@pytest.mark.parametrize(
    ("zone", "day", "cron", "fired"),
    [
        ("America/New_York", "2026-03-08", "30 2 * * *", ["08 03:00-0400", "09 02:30-0400"]),
        ("America/New_York", "2026-11-01", "30 1 * * *", ["01 01:30-0400", "02 01:30-0500"]),
        ("Europe/Lisbon", "2026-03-29", "30 1 * * *", ["29 02:00+0100", "30 01:30+0100"]),
        ("Europe/Lisbon", "2026-10-25", "30 1 * * *", ["25 01:30+0100", "26 01:30+0000"]),
        ("America/Sao_Paulo", "2026-10-18", "30 0 * * *", ["18 00:30-0300", "19 00:30-0300"]),
        ("America/Sao_Paulo", "2026-02-15", "30 0 * * *", ["15 00:30-0300", "16 00:30-0300"]),
    ],
)
def test_it_fires_once_in_each_night(group: SyncGroup, zone: str, day: str, cron: str, fired: list[str]) -> None:
    begin = datetime.fromisoformat(f"{day} 00:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    with time_machine.travel(begin, tick=False):
        schedule = services.add(Schedule(group=group, kind="apply", cron=cron, time_zone=zone), by=COMMAND)
    assert fired_in(schedule, begin, begin + timedelta(hours=31)) == fired


def test_added_in_the_second_of_two_equal_hours_it_waits_for_the_next_night(group: SyncGroup) -> None:
    moment = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)  # 01:10 in New York, for the second time
    with time_machine.travel(moment, tick=False):
        facts = {"cron": "30 1 * * *", "time_zone": "America/New_York"}
        schedule = services.add(Schedule(group=group, kind="apply", **facts), by=COMMAND)
        assert schedules.start_due() == 0
    assert schedule.next_at == datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


# -- many workers --


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_fires_and_one_that_is_killed_loses_nothing() -> None:
    assert scene() == NOBODY_TWICE
    assert WORKERS > 2


def test_the_same_on_postgresql(postgres_url: str, postgres_tables: str) -> None:
    program = "import json, django; django.setup(); from syncing.tests.automation.schedules_scene import scene; "
    with postgres_database(postgres_url, f"test_schedules_{os.getpid()}", postgres_tables) as url:
        environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "kommosync.settings_test"}
        command = [sys.executable, "-c", program + "print(json.dumps(scene()))"]
        done = subprocess.run(
            command, env=environment, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True, timeout=90, check=True
        )
    assert json.loads(done.stdout) == NOBODY_TWICE
