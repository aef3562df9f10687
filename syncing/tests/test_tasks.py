"""The queue's tasks: slices, continuations, schedules."""

import pytest
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule
from pytest_django import Settings

from accounts.services.health import bulk_check
from accounts.services.upkeep import renewal
from syncing import conf, tasks
from syncing.execution.account_task import AccountTask
from syncing.leases import processes
from syncing.models import Process, ProcessKind, SyncRun
from syncing.tests.house import House, result


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slaves that are done at once."""
    monkeypatch.setattr(AccountTask, "_attempt", lambda self, replicate: result())


def test_a_lane_task_works_what_there_is_and_leaves_no_trace(house: House, quick: None) -> None:
    run = house.start()
    OrmQ.objects.all().delete()

    assert tasks.lane() == "nothing left"

    run.refresh_from_db()
    assert run.state == "succeeded"
    assert not Process.objects.exists()


def test_a_lane_whose_slice_is_over_sends_its_continuation(
    house: House, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.start()
    OrmQ.objects.all().delete()
    monkeypatch.setattr(conf, "SLICE", 0.0)

    assert tasks.lane() == "to be continued"
    assert [row.task["func"] for row in OrmQ.objects.all()] == ["syncing.tasks.lane"]


def test_a_lane_too_many_leaves_at_once_so_that_short_tasks_find_a_process(house: House, settings: Settings) -> None:
    for number in range(settings.SYNC_WORKERS):
        processes.arrive(f"lane {number}", ProcessKind.LANE, worker=processes.this_worker())
    house.start()

    assert tasks.lane() == "enough lanes"
    assert SyncRun.objects.get().state == "queued"


@pytest.mark.django_db
def test_schedules_are_made_once_and_mended() -> None:
    tasks.ensure_schedules()
    Schedule.objects.update(minutes=1000, kwargs="{broken")

    tasks.ensure_schedules()

    kept = Schedule.objects.order_by("name").values_list("func", "schedule_type", "minutes", "kwargs", "repeats")
    assert list(kept) == [
        ("syncing.tasks.reap", Schedule.MINUTES, 1, None, -1),
        ("accounts.tasks.upkeep", Schedule.HOURLY, None, None, -1),
    ]


@pytest.mark.django_db
def test_every_task_can_be_found_by_its_name() -> None:
    assert callable(tasks.reap)
    assert all(callable(import_string(name)) for name in (tasks.REAPER, tasks.UPKEEP, renewal.TASK, bulk_check.TASK))
    assert tasks.reap()["released"] == 0
