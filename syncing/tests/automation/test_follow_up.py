"""What follows from ended runs: done once, whatever dies and however many workers look."""

import threading
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from syncing.automation import follow_up
from syncing.automation.follow_up import follow_ended
from syncing.automation.tick import tick
from syncing.models import AccountRetry, LogEntry, MasterSnapshot, RunPurpose, SyncRun, Trigger
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.house import House


@pytest.fixture
def failed(house: House) -> SyncRun:
    """A run of the watcher that failed in north."""
    snapshot = MasterSnapshot.objects.create(group=house.group, type="full", document={}, fingerprint="now")
    run = RunFactory(group=house.group, trigger=Trigger.WATCH, state="partial", snapshot=snapshot)
    AccountRunFactory(run=run, account=house.accounts["north"], state="failed", reason="unreachable")
    return run


def test_every_run_that_has_ended_is_followed_once(failed: SyncRun) -> None:
    RunFactory(group=failed.group, state="running")
    RunFactory(group=failed.group, purpose=RunPurpose.ROLLBACK)
    RunFactory(group=failed.group, purpose=RunPurpose.PROMOTION)
    assert follow_ended() == 3
    assert follow_ended() == 0
    assert SyncRun.objects.filter(followed_up=False).values_list("state", flat=True).get() == "running"
    assert AccountRetry.objects.get().failures == 1


def test_a_worker_looks_at_every_tick(failed: SyncRun) -> None:
    assert tick()["follow-ups"] == 1
    assert tick()["follow-ups"] == 0


def test_of_many_workers_one_follows_a_run(failed: SyncRun) -> None:
    barrier = threading.Barrier(6)
    counts: list[int] = []

    def look() -> None:
        barrier.wait()
        counts.append(follow_ended())
        connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 1
    assert AccountRetry.objects.get().failures == 1


def test_a_process_that_dies_in_between_has_done_nothing(failed: SyncRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(run: SyncRun) -> None:
        raise KeyboardInterrupt

    rules = follow_up.RULES
    monkeypatch.setattr(follow_up, "RULES", (*rules, die))
    with pytest.raises(KeyboardInterrupt):
        follow_ended()
    assert not AccountRetry.objects.exists()

    monkeypatch.setattr(follow_up, "RULES", rules)
    assert follow_ended() == 1
    assert AccountRetry.objects.get().failures == 1


def test_a_database_that_goes_away_is_asked_again(failed: SyncRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(run: SyncRun) -> None:
        raise OperationalError("gone")

    rules = follow_up.RULES
    monkeypatch.setattr(follow_up, "RULES", (away,))
    with pytest.raises(OperationalError):
        follow_ended()
    monkeypatch.setattr(follow_up, "RULES", rules)
    assert follow_ended() == 1


def test_a_rule_that_fails_is_told_and_prevents_no_other(failed: SyncRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(run: SyncRun) -> Any:
        AccountRetry.objects.all().delete()
        raise ValueError("secret")

    monkeypatch.setattr(follow_up, "RULES", (*follow_up.RULES, odd))
    assert follow_ended() == 1
    assert follow_ended() == 0
    entry = LogEntry.objects.get(code="internal")
    assert "ValueError" in entry.message
    assert "secret" not in entry.message
    assert AccountRetry.objects.count() == 1


def test_old_runs_are_not_looked_at(house: House) -> None:
    condition = SyncRun.objects.filter(followed_up=False).exclude(state__in=("queued", "running")).order_by("pk")
    assert "runs_to_follow_up" in condition.explain()
    assert connection.vendor == "sqlite"
