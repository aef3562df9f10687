"""Drift checks by schedule: when they are due, what keeps them from beginning, and that they only read."""

import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.automation.drift_checks import start_due
from syncing.execution.reaper import reap
from syncing.models import Drift, RunMode, RunPurpose, RunState, RunType, SyncRun, Trigger
from syncing.replication import replicate
from syncing.tests.factories import RunFactory
from syncing.tests.house import House


@pytest.fixture
def group(db: None) -> SyncGroup:
    """Looks for drift every six hours."""
    cast = AccountFactory.cast(GroupFactory(drift_hours=6))
    return cast["master"].group


def ended(group: SyncGroup, hours: float, **facts: object) -> SyncRun:
    run = RunFactory(group=group, **facts)
    SyncRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(hours=hours))
    return run


def checks() -> int:
    return SyncRun.objects.filter(purpose=RunPurpose.DRIFT).count()


def test_a_check_is_a_plan_of_the_whole_group(group: SyncGroup) -> None:
    assert start_due() == 1
    run = SyncRun.objects.get()
    assert (run.purpose, run.mode, run.type) == (RunPurpose.DRIFT, RunMode.PLAN, RunType.FULL)
    assert (run.trigger, run.whole_group, run.account_runs.count()) == (Trigger.SCHEDULE, True, 4)


def test_the_reaper_begins_the_checks_that_are_due(group: SyncGroup) -> None:
    assert reap()["drift"] == 1
    assert reap()["drift"] == 0
    assert checks() == 1


def test_a_group_without_a_schedule_is_left_alone(group: SyncGroup) -> None:
    SyncGroup.objects.update(drift_hours=0)
    assert start_due() == 0


@pytest.mark.parametrize(("hours", "due"), [(5.9, 0), (6.1, 1)])
@pytest.mark.parametrize("facts", [{"mode": "apply"}, {"mode": "plan"}, {"mode": "plan", "purpose": "drift"}])
def test_every_full_run_of_the_whole_group_counts_as_a_look(group: SyncGroup, facts, hours, due) -> None:
    ended(group, hours, **facts)
    assert start_due() == due


@pytest.mark.parametrize(
    "facts", [{"type": "pipelines"}, {"whole_group": False}, {"purpose": "rollback"}, {"purpose": "promotion"}]
)
def test_a_run_that_did_not_look_at_everything_does_not_count(group: SyncGroup, facts) -> None:
    ended(group, 1, **facts)
    assert start_due() == 1


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
def test_no_check_begins_while_a_run_of_the_group_is_open(group: SyncGroup, state) -> None:
    ended(group, 50, state=state, whole_group=False)
    assert start_due() == 0


def test_groups_are_judged_one_by_one(group: SyncGroup) -> None:
    other = GroupFactory(name="Others", drift_hours=24)
    AccountFactory(group=other, role=Account.Role.MASTER, subdomain="other")
    AccountFactory(group=other)
    ended(other, 23)
    assert start_due() == 1
    assert SyncRun.objects.get(purpose=RunPurpose.DRIFT).group == group


def test_what_keeps_a_check_from_beginning_is_said_once_and_kept_for_the_pages(group: SyncGroup, caplog) -> None:
    Account.objects.filter(subdomain="master").update(paused=True)
    with caplog.at_level(logging.WARNING):
        assert [start_due() for _ in range(3)] == [0, 0, 0]
    assert [record.message.count("The master master is paused.") for record in caplog.records] == [1]
    assert "Resume it first." in SyncGroup.objects.get().drift_problem
    Account.objects.update(paused=False)
    assert start_due() == 1
    assert SyncGroup.objects.get().drift_problem == ""


def test_a_check_only_reads(house: House) -> None:
    SyncGroup.objects.update(drift_hours=1)
    house.world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    reap()
    house.work(replicate)
    run = SyncRun.objects.get()
    assert run.state == RunState.PLANNED
    assert {record.method for record in house.world.log} == {"GET"}
    found = Drift.objects.get(account=house.accounts["north"])
    assert (found.state, found.run) == ("drifted", run)
    assert {row["cause"] for row in found.differences} == {"unknown"}
