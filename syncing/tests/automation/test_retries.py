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
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.automation import retries
from syncing.automation.follow_up import follow_ended
from syncing.models import (
    AccountRetry,
    MasterSnapshot,
    RunMode,
    RunPurpose,
    RunState,
    RunType,
    Schedule,
    SyncRun,
    Trigger,
    Watch,
    WatchState,
    Window,
    WindowKind,
)
from syncing.selectors.attempts import attempts_of
from syncing.services.actors import WATCH
from syncing.services.runs.start import cancel_run
from syncing.tests.crm import ANNA, asked, synced, work
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.house import House

SLAVES = ("north", "south", "west", "east")


@contextmanager
def later(**delta: float) -> Iterator[None]:
    with time_machine.travel(timezone.now() + timedelta(**delta), tick=True):
        yield


def waiting() -> dict[str, tuple[int, int]]:
    """Subdomain -> (failures, minutes between the end of the last run and the next attempt)."""
    last = SyncRun.objects.exclude(finished_at=None).latest("pk").finished_at
    rows = AccountRetry.objects.select_related("account")
    return {row.account.subdomain: (row.failures, round((row.due_at - last).total_seconds() / 60)) for row in rows}


# -- over HTTP --


@pytest.fixture
def watched(house: House) -> House:
    """A group whose watcher applies; it covers no fields, so that a reading is one request."""
    SyncGroup.objects.update(watch=WatchMode.APPLY, retry_minutes=5, sync_custom_fields=False)
    house.group.refresh_from_db()
    house.world.accounts["master"].add_pipeline("Sales", stages=["New"])
    return house


def failing(house: House, *names: str) -> None:
    for name in house.accounts:
        house.world.accounts[name].paid = name not in names


def retry_run(house: House) -> SyncRun | None:
    """The run that is started now, worked, with what follows from it; None: nothing is started."""
    if not retries.start_due():
        return None
    run = work(house, SyncRun.objects.latest("pk"))
    follow_ended()
    return run


def test_one_run_tries_all_accounts_of_the_group_that_failed(watched: House) -> None:
    failing(watched, "north", "south")
    synced(watched, by=WATCH)
    follow_ended()
    assert waiting() == {"north": (1, 5), "south": (1, 5)}
    assert retries.start_due() == 0

    failing(watched)
    with later(minutes=5, seconds=1):
        run = retry_run(watched)
    assert run is not None
    assert (run.trigger, run.mode, run.purpose, run.delta) == (Trigger.RETRY, RunMode.APPLY, RunPurpose.SYNC, True)
    assert watched.states(run) == {"north": "changed", "south": "changed"}
    assert waiting() == {}
    assert SyncRun.objects.count() == 2


def test_every_retry_is_an_attempt_of_the_run_that_most_of_its_accounts_failed_in(watched: House) -> None:
    failing(watched, "north", "south", "west")
    first = synced(watched, by=WATCH)
    SyncRun.objects.filter(pk=first.pk).update(name="Summer")
    follow_ended()
    failing(watched, "north", "south")
    with later(minutes=6):
        second = retry_run(watched)
    failing(watched)
    with later(minutes=30):
        third = retry_run(watched)
    assert [(run.first_attempt_id, run.name) for run in (second, third)] == [(first.pk, "Summer")] * 2
    found = attempts_of(second)
    assert [run.pk for run in found.runs] == [first.pk, second.pk, third.pk]
    states = {account.name: [each and each.state for each in account.attempts] for account in found.accounts}
    assert states["West"] == ["failed", "changed", None]
    assert states["North"] == ["failed", "failed", "changed"]


def test_a_retry_that_meets_another_master_writes_nothing(watched: House) -> None:
    """Nobody has seen the change yet, and it may be half made: the watcher will bring it."""
    failing(watched, "north")
    synced(watched, by=WATCH)
    follow_ended()
    failing(watched)
    watched.world.accounts["master"].add_pipeline("Half made", stages=["New"])
    since = len(watched.world.log)
    with later(minutes=6):
        run = retry_run(watched)
        assert run is not None
        assert (run.state, watched.account_run(run, "north").state) == ("cancelled", "cancelled")
        assert "the run that brings the change" in watched.account_run(run, "north").note
        assert asked(watched, "north", since) == []
        assert waiting() == {}
        assert MasterSnapshot.objects.count() == 1
        assert retries.start_due() == 0


def test_a_master_that_cannot_be_read_is_no_loop(watched: House) -> None:
    due(watched.group, "north")
    watched.world.faults.add(Fault("402", subdomain="master", times=None))
    run = retry_run(watched)
    assert run is not None
    assert (run.state, watched.states(run)) == ("failed", {"north": "skipped"})
    assert waiting() == {"north": (2, 10)}
    assert retries.start_due() == 0


def test_a_blocked_address_costs_one_attempt_and_no_more(watched: House) -> None:
    watched.world.limiter.blocked.add("127.0.0.1")
    due(watched.group, *SLAVES)
    retried = retry_run(watched)
    assert retried is not None
    assert (retried.state, retried.reason) == ("failed", "ip_blocked")
    assert waiting() == dict.fromkeys(SLAVES, (2, 10))
    assert len(watched.world.log) == 5  # the master, the same once more, and three others that are asked about it
    assert retries.start_due() == 0
    assert SyncRun.objects.count() == 1


# -- after a run --


@pytest.fixture
def group(db: None) -> SyncGroup:
    """The usual cast in a group whose watcher applies."""
    return AccountFactory.cast(GroupFactory(watch=WatchMode.APPLY, retry_minutes=5))["master"].group


def snapshot(group: SyncGroup, fingerprint: str = "now") -> MasterSnapshot:
    rows = MasterSnapshot.objects.filter(group=group, fingerprint=fingerprint)
    return rows.first() or MasterSnapshot.objects.create(
        group=group, type=RunType.FULL, document={}, fingerprint=fingerprint, accepted=True
    )


def ended(group: SyncGroup, trigger: str = Trigger.WATCH, *, master: str = "now", **ends: str) -> SyncRun:
    """A run that ended so in these accounts (state, or state and reason), and what follows from it."""
    facts = {"type": ends.pop("type", RunType.FULL), "mode": ends.pop("mode", RunMode.APPLY)}
    facts |= {"purpose": ends.pop("purpose", RunPurpose.SYNC), "snapshot": snapshot(group, master) if master else None}
    run = RunFactory(group=group, trigger=trigger, finished_at=timezone.now(), **facts)
    for name, end in ends.items():
        state, _, reason = end.partition(" ")
        account = Account.objects.get(subdomain=name)
        AccountRunFactory(run=run, account=account, state=state, reason=reason)
    follow_ended()
    return run


def due(group: SyncGroup, *names: str) -> None:
    """These accounts failed once, and are due."""
    fingerprint = MasterSnapshot.objects.filter(group=group).values_list("fingerprint", flat=True).last()
    for name in names:
        AccountRetry.objects.create(
            account=Account.objects.get(subdomain=name),
            fingerprint=fingerprint or snapshot(group).fingerprint,
            due_at=timezone.now() - timedelta(seconds=1),
        )


def test_the_time_doubles_up_to_six_hours(group: SyncGroup) -> None:
    minutes = []
    for trigger in (Trigger.WATCH, *[Trigger.RETRY] * 7):
        ended(group, trigger, north="failed unreachable")
        minutes.append(waiting()["north"][1])
    assert minutes == [5, 10, 20, 40, 80, 160, 320, 360]
    assert retries.waiting_time(group, retries.MOST_FAILURES) == retries.LONGEST


def test_a_new_state_of_the_master_begins_anew(group: SyncGroup) -> None:
    ended(group, north="failed")
    ended(group, Trigger.RETRY, north="failed")
    assert waiting() == {"north": (2, 10)}
    ended(group, master="newer", north="failed")
    assert waiting() == {"north": (1, 5)}
    assert AccountRetry.objects.get().fingerprint == "newer"


@pytest.mark.parametrize("trigger", Trigger.values)
def test_only_runs_that_automation_started_are_tried_again(group: SyncGroup, trigger: str) -> None:
    ended(group, trigger, north="failed", south="partial validation")
    by_itself = trigger in (Trigger.WATCH, Trigger.RETRY, Trigger.SCHEDULE)
    assert set(waiting()) == ({"north", "south"} if by_itself else set())


@pytest.mark.parametrize(
    "facts",
    [{"mode": RunMode.PLAN}, {"purpose": RunPurpose.ROLLBACK}, {"purpose": RunPurpose.DRIFT, "mode": RunMode.PLAN}],
)
def test_runs_that_bring_nothing_are_not_tried_again(group: SyncGroup, facts: dict[str, str]) -> None:
    ended(group, north="failed", **facts)
    assert waiting() == {}


def test_conflicts_refusals_and_accounts_that_were_not_touched_are_not_tried_again(group: SyncGroup) -> None:
    due(group, "north", "south")
    ended(group, north="partial conflict", south="refused guard", west="skipped guard", east="cancelled")
    assert waiting() == {}


def test_an_account_that_ends_well_in_any_run_waits_no_longer(group: SyncGroup) -> None:
    for trigger, facts in {
        Trigger.ADMIN: {"north": "changed"},
        Trigger.WEBHOOK: {"south": "in_sync"},
        Trigger.SCHEDULE: {"west": "in_sync", "purpose": RunPurpose.DRIFT, "mode": RunMode.PLAN},
    }.items():
        due(group, *(name for name in facts if name in SLAVES))
        ended(group, trigger, **facts)
        assert waiting() == {}


@pytest.mark.parametrize(
    "facts",
    [
        {"north": "changed", "type": RunType.PIPELINES},  # it does not show that the fields are as they should be
        {"north": "changed", "purpose": RunPurpose.ROLLBACK},
        {"north": "planned", "mode": RunMode.PLAN},
        {"south": "changed"},
        {"north": "skipped paused"},
    ],
)
def test_it_waits_on_after_a_run_that_brought_it_nothing(group: SyncGroup, facts: dict[str, str]) -> None:
    due(group, "north")
    ended(group, Trigger.ADMIN, **facts)
    assert AccountRetry.objects.get().failures == 1


def test_a_run_of_a_person_that_fails_as_well_begins_the_count_anew(group: SyncGroup) -> None:
    due(group, "north", "south")
    AccountRetry.objects.update(failures=5)
    ended(group, Trigger.ADMIN, north="failed")
    ended(group, Trigger.WEBHOOK, south="failed")
    assert waiting()["north"] == (1, 5)
    assert AccountRetry.objects.get(account__subdomain="south").failures == 5


def test_a_retry_that_met_a_paused_account_leaves_it_as_it_waits(group: SyncGroup) -> None:
    due(group, "north")
    ended(group, Trigger.RETRY, north="skipped paused")
    assert AccountRetry.objects.get().failures == 1


def test_a_retry_that_did_not_reach_its_account_is_put_off(group: SyncGroup) -> None:
    due(group, "north", "south")
    ended(group, Trigger.RETRY, master="", north="skipped unreachable", south="cancelled")
    assert waiting() == {"north": (2, 10), "south": (2, 10)}


# -- when it is due --


def test_it_is_never_given_up_after_a_time(group: SyncGroup) -> None:
    due(group, "north")
    with later(days=400):
        assert retries.start_due() == 1


def test_a_time_that_a_clock_wrote_which_was_set_back_is_no_time(group: SyncGroup) -> None:
    due(group, "north")
    AccountRetry.objects.update(due_at=timezone.now() + timedelta(days=30))
    assert retries.start_due() == 1


def test_what_was_to_bring_an_earlier_master_is_dropped(group: SyncGroup) -> None:
    due(group, "north")
    snapshot(group, "newer")
    assert retries.start_due() == 0
    assert not AccountRetry.objects.exists()


WAITS = {
    "the group is paused": lambda: SyncGroup.objects.update(paused=True),
    "the master is paused": lambda: Account.objects.filter(role="master").update(paused=True),
    "there is no master": lambda: Account.objects.filter(role="master").update(role="slave"),
    "the account is paused": lambda: Account.objects.filter(subdomain="north").update(paused=True),
    "plans need approval": lambda: SyncGroup.objects.update(requires_approval=True),
    "the watcher is off": lambda: SyncGroup.objects.update(watch=WatchMode.OFF),
    "the watcher only plans": lambda: SyncGroup.objects.update(watch=WatchMode.PLAN),
    "a run is open": lambda: RunFactory(group=SyncGroup.objects.get(), state=RunState.QUEUED),
    "a change of the master waits": lambda: Watch.objects.create(
        group=SyncGroup.objects.get(), pending_fingerprint="newer"
    ),
    "the master is not read": lambda: Watch.objects.create(group=SyncGroup.objects.get(), failures=1),
    "the group is frozen": lambda: Window.objects.create(
        group=SyncGroup.objects.get(), kind=WindowKind.DENY, cron="* * * * *", minutes=5
    ),
}


@pytest.mark.parametrize("change", WAITS.values(), ids=WAITS)
def test_it_waits_while(group: SyncGroup, change) -> None:
    due(group, "north")
    change()
    assert retries.start_due() == 0
    assert AccountRetry.objects.count() == 1


def test_it_does_not_wait_for_a_watcher_that_knows_that_its_run_has_failed(group: SyncGroup) -> None:
    due(group, "north")
    Watch.objects.create(group=group, state=WatchState.CHANGED, fingerprint="now")
    assert retries.start_due() == 1


def test_what_waited_is_started_when_the_pause_is_over(group: SyncGroup) -> None:
    due(group, "north")
    SyncGroup.objects.update(paused=True, paused_until=timezone.now() + timedelta(hours=1))
    assert retries.start_due() == 0
    with later(hours=1, seconds=1):
        assert retries.start_due() == 1


def test_a_group_with_a_schedule_that_applies_needs_no_watcher(group: SyncGroup) -> None:
    due(group, "north")
    SyncGroup.objects.update(watch=WatchMode.OFF)
    schedule = Schedule.objects.create(group=group, kind="apply", cron="0 3 * * *", enabled=False)
    assert retries.start_due() == 0
    Schedule.objects.filter(pk=schedule.pk).update(enabled=True)
    assert retries.start_due() == 1


def test_a_paused_account_does_not_keep_the_others_waiting(group: SyncGroup) -> None:
    due(group, "north", "south")
    Account.objects.filter(subdomain="north").update(paused=True)
    assert retries.start_due() == 1
    assert set(SyncRun.objects.get().account_runs.values_list("account__subdomain", flat=True)) == {"south"}


def test_an_account_of_another_group_is_forgotten(group: SyncGroup) -> None:
    due(group, "north")
    Account.objects.filter(subdomain="north").update(group=GroupFactory(name="Others", watch=WatchMode.APPLY))
    AccountFactory(group=SyncGroup.objects.get(name="Others"), role="master", subdomain="other")
    assert retries.start_due() == 0
    assert not AccountRetry.objects.exists()


def test_what_cannot_be_started_is_put_off(group: SyncGroup) -> None:
    due(group, "north")
    SyncGroup.objects.update(sync_pipelines=False, sync_custom_fields=False)
    assert [retries.start_due() for _ in range(3)] == [0, 0, 0]
    assert AccountRetry.objects.get().failures == 2


def test_a_cancelled_retry_is_not_started_again_at_once(group: SyncGroup) -> None:
    due(group, "north")
    retries.start_due()
    cancel_run(SyncRun.objects.get(), by=ANNA)
    follow_ended()
    assert retries.start_due() == 0
    assert waiting() == {"north": (2, 10)}


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_starts_the_run() -> None:
    group = AccountFactory.cast(GroupFactory(watch=WatchMode.APPLY))["master"].group
    due(group, "north")
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
    assert SyncRun.objects.count() == 1
