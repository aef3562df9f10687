"""The reaper: whatever died is repaired from our own rows."""

from datetime import timedelta

import pytest
from django_q.models import OrmQ
from pytest_django import Settings

from accounts import clock
from accounts.models import ConnectionCheck
from accounts.services.health.bulk_check import start_check
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing import conf
from syncing.execution import reaper
from syncing.leases import processes
from syncing.models import AccountRun, LogEntry, MasterSnapshot, Process, ProcessKind, SyncRun
from syncing.records.log import log
from syncing.services.runs.start import start_run
from syncing.tests.factories import API, AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run() -> SyncRun:
    group = GroupFactory()
    snapshot = MasterSnapshot.objects.create(group=group, type="full", document={}, fingerprint="x")
    return RunFactory(group=group, state="running", snapshot=snapshot)


def account_run(run: SyncRun, **facts: object) -> AccountRun:
    return AccountRunFactory(run=run, account=AccountFactory(group=run.group), **facts)


def test_a_dead_lanes_account_goes_back_and_lanes_are_called(run: SyncRun) -> None:
    lost = account_run(run, state="running", lane="dead", lease_until=clock.now() - timedelta(seconds=1))

    done = reaper.reap()

    lost.refresh_from_db()
    assert (lost.state, lost.crashes) == ("queued", 1)
    assert (done["released"], done["lanes"]) == (1, 2)
    assert OrmQ.objects.count() == 2


def test_only_the_lanes_that_are_missing_are_called(run: SyncRun) -> None:
    account_run(run, state="queued")
    processes.arrive("living", ProcessKind.LANE, worker="here")

    assert reaper.reap()["lanes"] == 1


def test_every_worker_gets_its_lanes(run: SyncRun, settings: Settings) -> None:
    account_run(run, state="queued")
    for name in ("here", "there"):
        processes.arrive(name, ProcessKind.WORKER)

    assert reaper.reap()["lanes"] == 2 * settings.SYNC_WORKERS


def test_nothing_is_called_when_nothing_waits(run: SyncRun) -> None:
    account_run(run, state="running", lane="living", lease_until=clock.now() + conf.lease())

    assert reaper.reap()["lanes"] == 0
    assert not OrmQ.objects.exists()


def test_a_message_that_got_lost_is_sent_again() -> None:
    group = AccountFactory.cast()["master"].group
    start_run(group=group, by=API)
    OrmQ.objects.all().delete()

    assert reaper.reap()["lanes"] == 2


def test_a_run_that_nobody_closed_is_closed(run: SyncRun) -> None:
    account_run(run, state="in_sync")

    assert reaper.reap()["closed"] == 1
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_an_account_that_came_back_while_its_run_was_cancelled_is_cancelled(run: SyncRun) -> None:
    straggler = account_run(run, state="queued")
    SyncRun.objects.update(cancel_requested_at=clock.now())

    reaper.reap()

    straggler.refresh_from_db()
    run.refresh_from_db()
    assert (straggler.state, run.state) == ("cancelled", "cancelled")


def test_a_master_that_kills_every_reader_fails_its_run() -> None:
    group = AccountFactory.cast()["master"].group
    run = start_run(group=group, by=API).run
    SyncRun.objects.update(attempts=conf.MAX_CRASHES, state="running", lease_until=clock.now() - timedelta(seconds=1))

    reaper.reap()

    run.refresh_from_db()
    assert (run.state, run.reason) == ("failed", "internal")


def test_rows_of_lanes_that_died_long_ago_are_removed() -> None:
    processes.arrive("dead", ProcessKind.LANE)
    processes.arrive("living", ProcessKind.LANE)
    Process.objects.filter(pk="dead").update(heartbeat_at=clock.now() - timedelta(hours=1))

    assert reaper.reap()["buried"] == 1
    assert list(Process.objects.values_list("pk", flat=True)) == ["living"]


def test_logs_of_old_runs_and_snapshots_that_nobody_needs_are_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "KEEP_LOGS_OF", 2)
    group = GroupFactory()
    runs = []
    for number in range(4):
        snapshot = MasterSnapshot.objects.create(group=group, type="full", document={}, fingerprint=str(number))
        runs.append(RunFactory(group=group, snapshot=snapshot))
        log(runs[-1].pk, "said")

    reaper.reap()

    assert list(LogEntry.objects.values_list("run", flat=True)) == [run.pk for run in runs[2:]]
    assert set(MasterSnapshot.objects.values_list("fingerprint", flat=True)) == {"2", "3"}


def test_the_last_accepted_master_is_kept_whatever_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "KEEP_LOGS_OF", 1)
    group = GroupFactory()
    snapshot = MasterSnapshot.objects.create(group=group, type="full", document={}, fingerprint="x", accepted=True)
    for _ in range(3):
        RunFactory(group=group)

    reaper.reap()

    assert MasterSnapshot.objects.filter(pk=snapshot.pk).exists()


# -- lanes of one worker --


def test_a_worker_has_no_more_lanes_than_it_may(settings: Settings) -> None:
    assert processes.enlist("first")
    assert processes.enlist("second")
    assert not processes.enlist("third")
    processes.leave("first")
    assert processes.enlist("fourth")


def test_lanes_of_another_worker_do_not_count(settings: Settings) -> None:
    for number in range(settings.SYNC_WORKERS):
        processes.arrive(f"there {number}", ProcessKind.LANE, worker="another machine")

    assert processes.enlist("here")


def test_a_check_of_connections_that_nobody_works_is_called_again() -> None:
    AccountFactory()
    start_check()
    OrmQ.objects.all().delete()

    ConnectionCheck.objects.update(created_at=clock.now() - timedelta(minutes=2))
    assert reaper.reap()["checks"] == 1
    assert [message.task["func"] for message in OrmQ.objects.all()] == ["accounts.tasks.check_slice"]
