"""A clock that was set back: what is left of the time before is not waited for, and nobody alive loses a claim."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.db.models import F
from django.utils import timezone
from django_q.models import Schedule
from pytest_django import Settings

from accounts import clock
from accounts.models import ConnectionCheck, RequestSlot, SyncGroup, TokenPair, WriteProbe
from accounts.services.upkeep.renewal import due
from accounts.simulator.world import World
from accounts.tests.oauth import connected, integrated
from syncing import tasks
from syncing.automation.drift_checks import is_due
from syncing.execution import ip_block, reaper
from syncing.leases import claims, clocks, processes
from syncing.models import AccountRun, IpBlock, Process, SyncRun
from syncing.operations.doctor import clock_set_back
from syncing.tests.house import SLAVES, House

BACK = [timedelta(seconds=100), timedelta(hours=1), timedelta(days=10)]
back = pytest.mark.parametrize("by", BACK, ids=["100 s", "an hour", "10 days"])


@pytest.fixture(autouse=True)
def _lease(settings: Settings) -> None:
    settings.SYNC_LEASE = 30


def claimed_by_the_dead(house: House, by: timedelta) -> SyncRun:
    """A run whose lane died with all accounts in hand, before the clock was set back."""
    run = house.start()
    moment = clock.now() + by
    SyncRun.objects.filter(pk=run.pk).update(state="running", fence=1, lease_until=moment + timedelta(seconds=30))
    held = {"lane": "dead", "fence": 1, "lease_until": moment + timedelta(seconds=30)}
    AccountRun.objects.filter(run=run).update(state="running", **held)
    Process.objects.create(name="dead", kind="lane", worker="dead", started_at=moment, heartbeat_at=moment)
    return run


@back
def test_leases_of_the_dead_end_within_a_lease_and_the_run_is_worked(house: House, by: timedelta) -> None:
    run = claimed_by_the_dead(house, by)

    clocks.pull_in()

    left = timedelta(seconds=31)
    assert set(AccountRun.objects.filter(lease_until__lt=clock.now() + left).values_list("run", flat=True)) == {run.pk}
    assert SyncRun.objects.filter(lease_until__lt=clock.now() + left).exists()
    AccountRun.objects.update(lease_until=F("lease_until") - left)  # a lease later
    SyncRun.objects.update(lease_until=F("lease_until") - left)
    reaper.reap()
    assert not house.work()
    run.refresh_from_db()
    assert (run.state, house.states(run)) == ("succeeded", dict.fromkeys(SLAVES, "changed"))


@back
def test_nobody_who_lives_loses_a_claim(house: House, by: timedelta) -> None:
    """It is written again at the next heartbeat; until then two must not send to one account."""
    claimed_by_the_dead(house, by)

    clocks.pull_in()

    assert claims.release_expired() == 0
    assert processes.living().count() == 1


@back
def test_signs_of_life_of_the_dead_are_over_within_a_lease(house: House, by: timedelta) -> None:
    claimed_by_the_dead(house, by)

    clocks.pull_in()

    assert not processes.living(clock.now() + timedelta(seconds=31)).exists()


def test_what_is_as_far_ahead_as_it_may_be_stays(house: House) -> None:
    run = claimed_by_the_dead(house, timedelta(0))
    before = list(AccountRun.objects.order_by("pk").values_list("lease_until", flat=True))

    assert clocks.pull_in() == 0

    assert list(AccountRun.objects.order_by("pk").values_list("lease_until", flat=True)) == before
    run.refresh_from_db()
    assert run.lease_until is not None


@back
def test_a_pause_between_waves_is_over_when_it_is_longer_than_the_group_has_it(house: House, by: timedelta) -> None:
    SyncGroup.objects.update(wave_wait=10)
    run = house.start()
    SyncRun.objects.update(state="running", wave_due_at=clock.now() + by + timedelta(minutes=10))

    clocks.pull_in()

    run.refresh_from_db()
    assert run.wave_due_at <= clock.now()


@back
@pytest.mark.parametrize(("rest", "minutes"), [(1, 1), (2, 2), (3, 4)])
def test_a_rest_in_an_outage_is_over_when_it_is_longer_than_it_can_be(
    house: House, by: timedelta, rest: int, minutes: int
) -> None:
    run = house.start()
    end = clock.now() + timedelta(minutes=minutes)
    SyncRun.objects.update(state="running", rests=rest, rests_until=end)
    assert clocks.pull_in() == 0
    SyncRun.objects.update(rests_until=end + by)

    clocks.pull_in()

    run.refresh_from_db()
    assert run.rests_until <= clock.now()


@back
@pytest.mark.django_db
def test_the_schedules_of_the_queue_go_on(by: timedelta) -> None:
    tasks.ensure_schedules()
    Schedule.objects.update(next_run=timezone.now() + by + timedelta(minutes=61))

    reaper.reap()

    assert not Schedule.objects.filter(next_run__gt=timezone.now()).exists()


@back
@pytest.mark.django_db
def test_a_check_of_connections_and_a_lock_out_go_by_the_new_time(by: timedelta) -> None:
    check = ConnectionCheck.objects.create(beat_at=timezone.now() + by)
    AccessAttempt.objects.create(username="anna", ip_address="127.0.0.1", failures_since_start=5)
    AccessAttempt.objects.update(attempt_time=timezone.now() + by)

    clocks.pull_in()

    check.refresh_from_db()
    assert check.beat_at <= timezone.now()
    assert AccessAttempt.objects.get().attempt_time <= timezone.now()


@back
def test_a_block_of_the_time_before_stops_nobody(house: House, by: timedelta) -> None:
    IpBlock.objects.create(at=clock.now() + by)

    assert not ip_block.happened_since(clock.now())


@back
def test_a_run_of_the_time_before_is_no_recent_look_for_drift(house: House, by: timedelta) -> None:
    SyncGroup.objects.update(drift_hours=24)
    house.start()
    SyncRun.objects.update(state="succeeded", created_at=clock.now() + by)

    assert is_due(SyncGroup.objects.get())


@back
@pytest.mark.django_db
def test_a_pair_that_was_obtained_in_the_time_before_is_renewed(world: World, by: timedelta) -> None:
    account = connected(world, integrated(world)[0], "north")
    TokenPair.objects.update(obtained_at=timezone.now(), access_expires_at=timezone.now() + timedelta(hours=24))
    assert not due(timezone.now()).exists()
    TokenPair.objects.update(obtained_at=timezone.now() + by, access_expires_at=timezone.now() + timedelta(hours=24))

    assert [pair.pk for pair in due(timezone.now())] == [account.pk]


# -- doctor --


def written_row(by: timedelta) -> None:
    RequestSlot.objects.create(key="north", written_at=(clock.now() + by).timestamp())


def written_probe(by: timedelta) -> None:
    WriteProbe.objects.create(written_at=clock.now() + by)


def made_run(by: timedelta) -> None:
    SyncRun.objects.create(group=SyncGroup.objects.create(name="Branches"), trigger="command")
    SyncRun.objects.update(created_at=clock.now() + by)


@back
@pytest.mark.parametrize("leave", [written_row, written_probe, made_run])
@pytest.mark.django_db
def test_doctor_says_that_the_clock_was_set_back_and_by_how_much(
    leave: Callable[[timedelta], None], by: timedelta
) -> None:
    assert list(clock_set_back()) == []
    leave(by)

    (finding,) = clock_set_back()

    assert f"set back by {by.total_seconds():.0f} s" in finding.message
