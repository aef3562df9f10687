"""Retries: what failed in runs that nobody attended to is tried again, less and less often, one run for all."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine
from django.db import connections
from django.utils import timezone

from accounts.models import Account, SyncGroup, WatchMode
from accounts.simulator.faults import Fault
from syncing.automation import retries
from syncing.automation.follow_up import follow_ended
from syncing.execution.reaper import reap
from syncing.models import (
    AccountRetry,
    LogEntry,
    MasterSnapshot,
    RunMode,
    RunType,
    Schedule,
    SyncRun,
    Trigger,
    Watch,
    WatchState,
)
from syncing.services.actors import COMMAND, RETRY, SCHEDULE, WATCH, WEBHOOK
from syncing.services.runs.retry import retry_failed
from syncing.services.runs.start import cancel_run
from syncing.tests.crm import ANNA, asked, synced, work
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.house import House


@pytest.fixture
def watched(house: House) -> House:
    """A group whose watcher applies; the master has one pipeline."""
    SyncGroup.objects.update(watch=WatchMode.APPLY, retry_minutes=5)
    house.group.refresh_from_db()
    house.world.accounts["master"].add_pipeline("Sales", stages=["New"])
    return house


def failing(house: House, *names: str) -> None:
    for name in house.accounts:
        house.world.accounts[name].paid = name not in names


def watcher_run(house: House, **facts: object) -> SyncRun:
    """A run of the watcher, and what follows from it."""
    run = synced(house, **{"by": WATCH, **facts})
    follow_ended()
    return run


@contextmanager
def later(**delta: float) -> Iterator[None]:
    with time_machine.travel(timezone.now() + timedelta(**delta), tick=True):
        yield


def waiting(house: House) -> dict[str, tuple[int, int]]:
    """Subdomain -> (failures, minutes between the end of the last run and the next attempt)."""
    last = SyncRun.objects.exclude(finished_at=None).latest("pk").finished_at
    rows = AccountRetry.objects.select_related("account")
    return {row.account.subdomain: (row.failures, round((row.due_at - last).total_seconds() / 60)) for row in rows}


def retry_run(house: House) -> SyncRun | None:
    """The run that is started now, worked, with what follows from it; None: nothing is started."""
    if not retries.start_due():
        return None
    run = work(house, SyncRun.objects.latest("pk"))
    follow_ended()
    return run


def test_one_run_tries_all_accounts_of_the_group_that_failed(watched: House) -> None:
    failing(watched, "north", "south")
    watcher_run(watched)
    assert waiting(watched) == {"north": (1, 5), "south": (1, 5)}
    assert retries.start_due() == 0

    failing(watched)
    with later(minutes=5, seconds=1):
        run = retry_run(watched)
    assert run is not None
    assert (run.trigger, run.mode, run.purpose, run.delta) == (Trigger.RETRY, RunMode.APPLY, "sync", True)
    assert watched.states(run) == {"north": "changed", "south": "changed"}
    assert waiting(watched) == {}
    assert SyncRun.objects.count() == 2


def test_the_time_doubles_up_to_six_hours(watched: House) -> None:
    failing(watched, "north")
    watcher_run(watched)
    minutes = [waiting(watched)["north"][1]]
    ahead = 0.0
    for _ in range(7):
        ahead += minutes[-1] * 60 + 2
        with later(seconds=ahead):
            assert retry_run(watched)
        minutes.append(waiting(watched)["north"][1])
    assert minutes == [5, 10, 20, 40, 80, 160, 320, 360]
    assert SyncRun.objects.count() == 8
    assert retries.waiting_time(watched.group, retries.MOST_FAILURES) == retries.LONGEST


def test_it_is_never_given_up_after_a_time(watched: House) -> None:
    failing(watched, "north")
    watcher_run(watched)
    with later(days=400):
        assert retry_run(watched)


def test_a_new_state_of_the_master_begins_anew(watched: House) -> None:
    failing(watched, "north")
    watcher_run(watched)
    with later(minutes=6):
        retry_run(watched)
        assert waiting(watched)["north"] == (2, 10)
        watched.world.accounts["master"].add_pipeline("Support", stages=["New"])
        watcher_run(watched)
        assert waiting(watched)["north"] == (1, 5)


def test_what_was_to_bring_an_earlier_master_is_dropped(watched: House) -> None:
    failing(watched, "north")
    watcher_run(watched)
    MasterSnapshot.objects.create(
        group=watched.group, type=RunType.FULL, document={}, fingerprint="newer", accepted=True
    )
    with later(minutes=6):
        assert retry_run(watched) is None
    assert waiting(watched) == {}


def test_a_retry_that_meets_another_master_writes_nothing(watched: House) -> None:
    """Nobody has seen the change yet, and it may be half made: the watcher will bring it."""
    failing(watched, "north")
    watcher_run(watched)
    failing(watched)
    watched.world.accounts["master"].add_pipeline("Half made", stages=["New"])
    since = len(watched.world.log)
    with later(minutes=6):
        run = retry_run(watched)
        assert run is not None
        assert (run.state, watched.account_run(run, "north").state) == ("cancelled", "cancelled")
        assert "the run that brings the change" in watched.account_run(run, "north").note
        assert asked(watched, "north", since) == []
        assert waiting(watched) == {}
        assert MasterSnapshot.objects.count() == 1
        assert retry_run(watched) is None


@pytest.mark.parametrize("by", [WATCH, SCHEDULE])
def test_runs_that_automation_started_are_tried_again(watched: House, by) -> None:
    failing(watched, "north")
    watcher_run(watched, by=by)
    assert waiting(watched) == {"north": (1, 5)}


@pytest.mark.parametrize("by", [COMMAND, ANNA, WEBHOOK])
def test_runs_of_others_are_not(watched: House, by) -> None:
    failing(watched, "north")
    watcher_run(watched, by=by)
    assert waiting(watched) == {}


def test_an_account_that_ends_well_in_any_run_waits_no_longer(watched: House) -> None:
    failing(watched, "north", "south", "west")
    watcher_run(watched)
    failing(watched, "west")
    synced(watched, by=ANNA, accounts=[watched.accounts["north"]])
    synced(watched, by=WEBHOOK, accounts=[watched.accounts["south"]], type=RunType.PIPELINES)
    follow_ended()
    # A run of pipelines alone does not show that the fields are as they should be.
    assert set(waiting(watched)) == {"south", "west"}


def test_a_run_of_a_person_that_fails_as_well_begins_the_count_anew(watched: House) -> None:
    failing(watched, "north", "south")
    watcher_run(watched)
    with later(minutes=6):
        retry_run(watched)
        assert waiting(watched) == {"north": (2, 10), "south": (2, 10)}
        work(watched, retry_failed(SyncRun.objects.latest("pk"), by=ANNA))
        follow_ended()
        assert waiting(watched) == {"north": (1, 5), "south": (1, 5)}


def test_conflicts_and_refusals_are_not_tried_again(watched: House) -> None:
    run = RunFactory(group=watched.group, trigger=Trigger.WATCH, snapshot=_snapshot(watched))
    for name, facts in {
        "north": {"state": "partial", "reason": "conflict"},
        "south": {"state": "refused", "reason": "guard"},
        "west": {"state": "partial", "reason": "validation"},
        "east": {"state": "skipped", "reason": "guard"},
    }.items():
        AccountRunFactory(run=run, account=watched.accounts[name], **facts)
        AccountRetry.objects.create(account=watched.accounts[name], fingerprint="now", due_at=timezone.now())
    AccountRetry.objects.filter(account__subdomain="east").delete()
    follow_ended()
    assert {row.account.subdomain for row in AccountRetry.objects.select_related("account")} == {"west"}
    assert AccountRetry.objects.get().failures == 2


def _snapshot(house: House) -> MasterSnapshot:
    return MasterSnapshot.objects.create(group=house.group, type="full", document={}, fingerprint="now", accepted=True)


# -- what has to wait --


@pytest.fixture
def due(watched: House) -> House:
    """North failed, and is due."""
    failing(watched, "north")
    watcher_run(watched)
    AccountRetry.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    return watched


WAITS = {
    "the group is paused": lambda: SyncGroup.objects.update(paused=True),
    "the master is paused": lambda: Account.objects.filter(role="master").update(paused=True),
    "there is no master": lambda: Account.objects.filter(role="master").update(role="slave"),
    "the account is paused": lambda: Account.objects.filter(subdomain="north").update(paused=True),
    "plans need approval": lambda: SyncGroup.objects.update(requires_approval=True),
    "the watcher is off": lambda: SyncGroup.objects.update(watch=WatchMode.OFF),
    "the watcher only plans": lambda: SyncGroup.objects.update(watch=WatchMode.PLAN),
    "a run is open": lambda: RunFactory(group=SyncGroup.objects.get(), state="queued"),
    "the master changes": lambda: Watch.objects.create(group=SyncGroup.objects.get(), state=WatchState.CHANGED),
    "a change waits": lambda: Watch.objects.create(group=SyncGroup.objects.get(), pending_fingerprint="x"),
    "the master is not read": lambda: Watch.objects.create(group=SyncGroup.objects.get(), state=WatchState.UNREADABLE),
}


@pytest.mark.parametrize("change", WAITS.values(), ids=WAITS)
def test_it_waits_while(due: House, change) -> None:
    change()
    assert retries.start_due() == 0
    assert AccountRetry.objects.count() == 1


def test_what_waited_is_started_when_the_pause_is_over(due: House) -> None:
    SyncGroup.objects.update(paused=True, paused_until=timezone.now() + timedelta(hours=1))
    assert retries.start_due() == 0
    with later(hours=1, seconds=1):
        assert retries.start_due() == 1


def test_a_schedule_that_applies_is_tried_again_without_a_watcher(due: House) -> None:
    SyncGroup.objects.update(watch=WatchMode.OFF)
    schedule = Schedule.objects.create(group=due.group, kind="apply", cron="0 3 * * *", enabled=False)
    assert retries.start_due() == 0
    Schedule.objects.filter(pk=schedule.pk).update(enabled=True)
    assert retries.start_due() == 1


def test_a_paused_account_does_not_keep_the_others_waiting(watched: House) -> None:
    failing(watched, "north", "south")
    watcher_run(watched)
    Account.objects.filter(subdomain="north").update(paused=True)
    with later(minutes=6):
        run = retry_run(watched)
        assert run is not None
        assert watched.states(run) == {"south": "failed"}
        assert waiting(watched)["south"] == (2, 10)
        assert AccountRetry.objects.get(account__subdomain="north").failures == 1


def test_an_account_of_another_group_or_role_is_forgotten(due: House) -> None:
    Account.objects.filter(subdomain="north").update(group=SyncGroup.objects.create(name="Others", watch="apply"))
    assert retries.start_due() == 0
    assert due.group.runs.count() == 1


# -- runs that do not reach the account --


def test_a_master_that_cannot_be_read_is_no_loop(due: House) -> None:
    due.world.faults.add(Fault("503", subdomain="master", times=None))
    run = retry_run(due)
    assert run is not None
    assert (run.state, due.states(run)) == ("failed", {"north": "skipped"})
    assert AccountRetry.objects.get().failures == 2
    assert retries.start_due() == 0


def test_a_cancelled_retry_is_not_started_again_at_once(due: House) -> None:
    retries.start_due()
    run = SyncRun.objects.latest("pk")
    cancel_run(run, by=ANNA)
    follow_ended()
    assert retries.start_due() == 0
    assert AccountRetry.objects.get().failures == 2


def test_a_blocked_address_costs_one_attempt_and_no_more(watched: House) -> None:
    watched.world.limiter.blocked.add("127.0.0.1")
    run = RunFactory(group=watched.group, trigger=Trigger.WATCH, snapshot=_snapshot(watched))
    for name in ("north", "south", "west", "east"):
        AccountRunFactory(run=run, account=watched.accounts[name], state="failed", reason="ip_blocked")
    follow_ended()
    with later(minutes=6):
        retried = retry_run(watched)
        assert retried is not None
        assert (retried.state, retried.reason) == ("failed", "ip_blocked")
        assert {row.failures for row in AccountRetry.objects.all()} == {2}
        assert len(watched.world.log) == 5  # the master, the same once more, and three others that are asked about it
        assert retries.start_due() == 0
    assert SyncRun.objects.count() == 2


def test_what_cannot_be_started_is_put_off(due: House) -> None:
    SyncGroup.objects.update(sync_pipelines=False, sync_custom_fields=False)
    assert retries.start_due() == 0
    assert AccountRetry.objects.get().failures == 2
    assert retries.start_due() == 0
    assert AccountRetry.objects.get().failures == 2


def test_a_time_that_a_clock_wrote_which_was_set_back_is_no_time(due: House) -> None:
    AccountRetry.objects.update(due_at=timezone.now() + timedelta(days=30))
    assert retries.start_due() == 1


# -- several workers, and deaths --


def test_of_many_workers_one_starts_the_run(due: House) -> None:
    barrier = threading.Barrier(6)
    counts: list[int] = []

    def tick() -> None:
        barrier.wait()
        counts.append(retries.start_due())
        connections.close_all()

    threads = [threading.Thread(target=tick) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 0, 0, 1]
    assert SyncRun.objects.filter(trigger=Trigger.RETRY).count() == 1


def test_a_retry_whose_process_died_is_worked_by_the_next(due: House) -> None:
    failing(due)
    retries.start_due()
    reap()
    run = work(due, SyncRun.objects.latest("pk"))
    follow_ended()
    assert due.states(run) == {"north": "changed"}
    assert AccountRetry.objects.count() == 0
    assert not LogEntry.objects.filter(run=run, code="internal").exists()
    assert RETRY.via == run.trigger
