"""What is overdue and where it shows: the status, /readyz, the dashboard, doctor; and a sentence for each group."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import strip_tags
from django_q.models import Schedule as QueueSchedule
from pytest_django import Settings

from accounts.models import SyncGroup
from accounts.tests.factories import GroupFactory
from syncing.models import Process, ProcessKind, Schedule, Watch
from syncing.operations import doctor
from syncing.selectors.automation import automation_state, failing, overdue, sentence
from syncing.services.keys import create_key
from syncing.tasks import ensure_schedules

pytestmark = pytest.mark.django_db
FUTURE = timezone.now() + timedelta(days=1)


@pytest.fixture
def group() -> SyncGroup:
    """Its master is watched."""
    return GroupFactory(watch="apply")


def ago(**length: float) -> datetime:
    return timezone.now() - timedelta(**length)


def worker(heartbeat: datetime | None = None) -> None:
    beat = heartbeat or timezone.now()
    Process.objects.create(name="w", kind=ProcessKind.WORKER, worker="w", started_at=beat, heartbeat_at=beat)


def watch(group: SyncGroup, **facts: Any) -> Watch:
    usual = {"state": "idle", "last_look": ago(hours=2), "due_at": ago(hours=1)}
    return Watch.objects.create(group=group, **usual | facts)


def schedule(group: SyncGroup, **facts: Any) -> Schedule:
    usual = {"kind": "drift", "cron": "0 3 * * *", "grace": 60, "next_at": ago(hours=2)}
    return Schedule.objects.create(group=group, **usual | facts)


def late() -> list[tuple[str, str]]:
    return [(trouble.code, trouble.group) for trouble in overdue(automation_state())]


# -- workers --


def test_without_a_worker_nothing_happens_by_itself(group: SyncGroup) -> None:
    assert late() == [("workers", "")]
    worker()
    assert late() == []


@pytest.mark.parametrize("on", [{"watch": "report"}, {"drift_hours": 24}, {}])
def test_a_worker_is_expected_only_where_something_is_to_happen(on: dict[str, Any]) -> None:
    group = GroupFactory(**on)
    assert late() == ([("workers", "")] if on else [])
    schedule(group, next_at=ago(hours=-1), enabled=False)
    assert bool(late()) == bool(on)
    Schedule.objects.update(enabled=True)
    assert late() == [("workers", "")]


@pytest.mark.parametrize(("seconds", "is_late"), [(29, False), (44, False), (47, True)])
def test_a_worker_has_a_lease_and_a_tick_to_come_back(group: SyncGroup, seconds: float, is_late: bool) -> None:
    worker(ago(seconds=seconds))

    assert bool(late()) == is_late


def test_a_worker_that_ended_as_it_should_was_last_heard_of_by_the_clock_of_the_queue(group: SyncGroup) -> None:
    ensure_schedules()
    QueueSchedule.objects.update(next_run=ago(seconds=-20))
    assert late() == []  # it was there within the last minute
    QueueSchedule.objects.update(next_run=ago(minutes=10))
    (trouble,) = overdue(automation_state())
    assert trouble.since is not None
    assert date_format(trouble.since, "DATETIME_FORMAT") in trouble.message


def test_the_later_sign_counts(group: SyncGroup) -> None:
    ensure_schedules()
    QueueSchedule.objects.update(next_run=ago(minutes=10))
    worker(ago(seconds=35))
    assert late() == []

    Process.objects.update(heartbeat_at=ago(minutes=10))
    QueueSchedule.objects.update(next_run=ago(seconds=35))
    assert late() == []


def test_a_command_at_work_is_no_worker(group: SyncGroup) -> None:
    now = timezone.now()
    Process.objects.create(name="c", kind=ProcessKind.FOREGROUND, started_at=now, heartbeat_at=now)

    assert late() == [("workers", "")]


# -- watchers and schedules --


def test_a_master_that_was_not_looked_at_in_time_is_named(group: SyncGroup) -> None:
    worker()
    row = watch(group, problem="The token of master has expired. Store a new one.")

    (trouble,) = overdue(automation_state())

    assert (trouble.code, trouble.group, trouble.since) == ("watcher", "Branches", row.due_at)
    assert f"since {date_format(row.last_look, 'DATETIME_FORMAT')} (UTC)" in trouble.message
    assert trouble.remedy == row.problem


@pytest.mark.parametrize("facts", [{"due_at": FUTURE}, {"due_at": None}, {"state": "off"}, {"state": "paused"}])
def test_a_watcher_that_is_in_time_is_not(group: SyncGroup, facts: dict[str, Any]) -> None:
    worker()
    watch(group, **facts)

    assert late() == []


@pytest.mark.parametrize(("minutes", "is_late"), [(120, True), (61.5, True), (60.5, False), (1, False), (-1, False)])
def test_a_schedule_has_its_grace_and_the_time_that_a_worker_may_take(
    group: SyncGroup, minutes: float, is_late: bool
) -> None:
    worker()
    schedule(group, next_at=ago(minutes=minutes))

    assert late() == ([("schedule", "Branches")] if is_late else [])


@pytest.mark.parametrize(
    ("facts", "is_late"),
    [
        ({}, True),
        ({"next_at": None}, False),
        ({"enabled": False}, False),
        ({"grace": 180}, False),
    ],
)
def test_a_schedule_that_did_not_start_is_named(group: SyncGroup, facts: dict[str, Any], is_late: bool) -> None:
    worker()
    schedule(group, **facts)

    assert late() == ([("schedule", "Branches")] if is_late else [])


def test_a_schedule_that_started_nothing_is_no_silence_but_told(group: SyncGroup) -> None:
    worker()
    schedule(group, next_at=ago(hours=-9), problem="The master master is paused.")
    SyncGroup.objects.update(drift_hours=24, drift_problem="No slave is there.")

    found = failing(automation_state())

    assert late() == []
    assert [trouble.code for trouble in found] == ["schedule_skipped", "drift_check"]
    assert "The master master is paused." in found[0].message
    SyncGroup.objects.update(paused=True)
    assert failing(automation_state()) == []


# -- where it shows --


def test_the_status_lists_what_is_overdue(client: Client, group: SyncGroup) -> None:
    headers = {"Authorization": f"Bearer {create_key(name='bot', scopes=['read'])[1]}"}
    row = watch(group)

    workers, watcher = client.get("/api/sync/status", headers=headers).json()["overdue"]

    assert (workers["code"], workers["group"], workers["since"]) == ("workers", None, None)
    assert (watcher["code"], watcher["group"]) == ("watcher", "Branches")
    assert row.due_at is not None
    assert watcher["since"] == row.due_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert watcher.keys() == {"code", "group", "since", "message", "remedy"}
    SyncGroup.objects.update(watch="off")
    assert client.get("/api/sync/status", headers=headers).json()["overdue"] == []


def test_readyz_shows_it_to_all_and_fails_for_a_monitor_only(client: Client, group: SyncGroup) -> None:
    watch(group)
    schedule(group)

    plain, asked = client.get("/readyz"), client.get("/readyz?automation=1")

    assert (plain.status_code, plain.json()["status"]) == (200, "ok")
    assert (asked.status_code, asked.json()["status"], asked.json()["problems"]) == (503, "overdue", [])
    for answer in (plain, asked):
        assert [each["code"] for each in answer.json()["overdue"]] == ["workers", "watcher", "schedule"]
        assert "Branches" not in answer.content.decode()  # it needs no key
    SyncGroup.objects.update(watch="off")
    Schedule.objects.all().delete()
    assert client.get("/readyz?automation=1").json() == {"status": "ok"}


def test_the_dashboard_names_what_somebody_has_to_see_to(admin_client: Client, group: SyncGroup) -> None:
    watch(group)
    schedule(group, next_at=ago(hours=-9), problem="The master master is paused.")

    html = admin_client.get("/").content.decode()

    assert "No worker has run yet" in html
    assert "The master of the group Branches has not been looked at since" in html
    assert "started nothing. The master master is paused." in html
    assert ">Overdue</span>" in html


def test_doctor_fails_for_it(group: SyncGroup, settings: Settings) -> None:
    settings.PING_URL = "https://hc.example.com/ping/5ecret-uuid"
    assert next(doctor.automation()).level == doctor.FAIL
    worker()
    told = [str(finding) for finding in doctor.automation()]
    assert "nothing is overdue" in told[0]
    assert "hc.example.com" in told[1]
    assert "5ecret" not in "".join(told)


# -- a sentence for each group --


def test_a_group_says_what_happens_in_it_by_itself(admin_client: Client) -> None:
    off = GroupFactory(name="Off")
    on = GroupFactory(name="On", watch="apply", drift_hours=12)
    changed = timezone.localtime(ago(days=1))
    watch(on, last_look=ago(minutes=2), last_change=changed, due_at=ago(hours=-1))
    tomorrow = timezone.localtime(ago(days=-1))
    schedule(on, kind="apply", next_at=tomorrow)
    schedule(on, next_at=tomorrow + timedelta(days=3))

    state = automation_state()

    assert sentence(off, state) == "Nothing happens by itself."
    assert strip_tags(sentence(on, state)).replace("\xa0", " ") == (
        f"Watching the master: last look 2 minutes ago, last change yesterday, {changed:%H:%M}, nothing waits. "
        f"Next by schedule: Apply, tomorrow, {tomorrow:%H:%M}. Checks for drift every 12 hours."
    )
    html = admin_client.get("/").content.decode()
    looked = timezone.localtime(ago(minutes=2))
    assert f'Watching the master: last look <time datetime="{looked:%Y-%m-%d}T' in html
    assert "Nothing happens by itself." in html
    assert "Watching the master: last look" in admin_client.get("/dashboard/live").content.decode()


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"last_look": None, "due_at": None}, "no look yet, no change seen yet, nothing waits"),
        ({"state": "changed", "due_at": FUTURE}, "the master has changed"),
        ({}, "overdue"),
        ({"state": "unreadable"}, "the master cannot be read"),
    ],
)
def test_a_watched_group_says_what_waits(group: SyncGroup, facts: dict[str, Any], says: str) -> None:
    watch(group, **facts)

    assert says in sentence(group, automation_state())


def test_a_group_whose_watcher_was_just_switched_on_says_so(group: SyncGroup) -> None:
    assert sentence(group, automation_state()) == (
        "Watching the master: no look yet, no change seen yet, nothing waits."
    )


def test_everything_of_the_automation_costs_a_fixed_few_queries(
    group: SyncGroup, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        other = GroupFactory(name=f"Group {number}", watch="plan", drift_hours=1)
        watch(other)
        schedule(other, problem="So.")
    with django_assert_max_num_queries(10):  # four of them are the clock, where the database is a server
        state = automation_state()
        assert len([*overdue(state), *failing(state)]) == 1 + 5 + 5 + 5
        assert all(sentence(each, state) for each in state.groups)
