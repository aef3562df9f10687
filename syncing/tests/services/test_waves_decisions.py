"""Exactly one caller decides about the next wave, whoever dies."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django_q.models import OrmQ

from accounts import clock
from accounts.models import SyncGroup
from syncing.execution import reaper
from syncing.leases import claims
from syncing.models import LogEntry, RunMode, SyncRun
from syncing.services.actors import COMMAND
from syncing.services.runs import waves
from syncing.services.runs.start import cancel_run
from syncing.tests.branches import Killed
from syncing.tests.house import House, database
from syncing.tests.waving import OTHERS, claimed, end, policy


@pytest.fixture
def ended(house: House) -> SyncRun:
    """The pilot has ended well; its process died before it could decide about the next wave."""
    policy(house)
    run = house.start()
    end(run, "north")
    OrmQ.objects.all().delete()
    return run


def test_of_many_who_end_a_wave_one_starts_the_next(house: House, ended: SyncRun) -> None:
    def advance(_: int) -> bool:
        with database():
            return waves.advance(ended.pk)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(advance, range(12))) == 1
    ended.refresh_from_db()
    assert ended.wave == 1
    assert LogEntry.objects.filter(run=ended, code="wave").count() == 1


def test_of_many_who_end_a_failed_wave_one_stops_the_run(house: House, ended: SyncRun) -> None:
    end(ended, "north", state="failed", reason="unpaid")

    def advance(_: int) -> bool:
        with database():
            return waves.advance(ended.pk)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(advance, range(12))) == 1
    assert LogEntry.objects.filter(run=ended, code="guard").count() == 1


def test_who_judged_by_an_old_look_at_the_run_decides_nothing(house: House, ended: SyncRun) -> None:
    """Two judge the same wave, one of them under another limit: the first decision stands."""
    late = waves.runs_to_advance().select_related("group").get(pk=ended.pk)
    assert waves.advance(ended.pk)

    assert not waves._stop(late, waves.WaveResult(1, 1))
    assert not waves._open_next(late, waves.WaveResult(1, 0))

    assert set(house.states(ended).values()) == {"changed", "queued"}


def test_the_reaper_decides_when_the_last_one_of_a_wave_died(house: House, ended: SyncRun) -> None:
    assert claimed() == set()

    done = reaper.reap()

    assert (done["waves"], done["closed"], done["lanes"]) == (1, 0, 2)
    assert claimed() == set(OTHERS)
    assert reaper.reap()["waves"] == 0


def test_the_reaper_checks_the_failures_too(house: House, ended: SyncRun) -> None:
    end(ended, "north", state="failed", reason="unpaid")

    done = reaper.reap()

    assert (done["waves"], done["closed"], done["lanes"]) == (1, 1, 0)
    ended.refresh_from_db()
    assert (ended.state, ended.reason) == ("failed", "guard")


def test_a_run_whose_stop_was_its_processs_last_act_is_closed(house: House, ended: SyncRun) -> None:
    end(ended, "north", state="failed", reason="unpaid")
    assert waves.advance(ended.pk)  # killed before it could close

    assert reaper.reap()["closed"] == 1
    ended.refresh_from_db()
    assert (ended.state, ended.reason) == ("failed", "guard")


@pytest.mark.parametrize(("state", "expected"), [("changed", ["queued"] * 3), ("failed", ["skipped"] * 3)])
def test_killed_at_any_statement_the_decision_is_made_once_and_by_the_failures(
    house: House, state: str, expected: list[str]
) -> None:
    policy(house)
    for statement in itertools.count(1):
        run = house.start()
        end(run, "north", state=state, reason="unpaid" if state == "failed" else "")
        killed = dies_at(statement, lambda pk=run.pk: waves.advance_or_close(pk))

        reaper.reap()

        run.refresh_from_db()
        assert [house.states(run)[name] for name in OTHERS] == expected, statement
        assert (run.wave, run.is_open) == ((1, True) if state == "changed" else (0, False)), statement
        assert LogEntry.objects.filter(run=run, code__in=("wave", "guard")).count() == 1, statement
        cancel_run(run, by=COMMAND)
        if not killed:
            break
    assert statement > 5


def dies_at(statement: int, act: Callable[[], object]) -> bool:
    """Whether the process, killed before that statement to the database, did not come to the end of `act`."""
    numbers = itertools.count(1)

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if next(numbers) == statement:
            raise Killed
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(watch):
            act()
    except Killed:
        return True
    return False


def test_an_account_that_a_dead_lane_gave_back_keeps_its_wave_open(house: House) -> None:
    policy(house, pilots=["north", "south"])
    run = house.start()
    end(run, "north")
    past = clock.now() - timedelta(seconds=1)
    run.account_runs.filter(account__subdomain="south").update(state="running", lane="dead", lease_until=past)

    done = reaper.reap()

    assert (done["released"], done["waves"]) == (1, 0)
    assert claimed() == {"south"}


def test_lanes_are_called_for_a_new_wave_but_not_for_one_that_rests(house: House, ended: SyncRun) -> None:
    assert waves.advance(ended.pk)
    assert OrmQ.objects.count() == 2

    OrmQ.objects.all().delete()
    SyncGroup.objects.update(wave_hold=True)
    other = house.start()
    OrmQ.objects.all().delete()
    end(other, "north")
    assert waves.advance(other.pk)
    assert not OrmQ.objects.exists()
    assert reaper.reap()["lanes"] == 2  # for the first run


def test_a_run_of_a_command_calls_no_lanes(house: House, ended: SyncRun) -> None:
    SyncRun.objects.update(queued_to_workers=False)

    assert waves.advance(ended.pk)

    assert not OrmQ.objects.exists()


def test_a_plan_waits_for_a_run_that_does_not_rest(house: House, ended: SyncRun) -> None:
    plan = house.start(mode=RunMode.PLAN)

    assert claims.claim_master(plan) is None
