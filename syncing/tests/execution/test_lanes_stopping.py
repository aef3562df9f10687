"""Lanes that are stopped: by a signal, a cancel, a lost claim, a database that went away, a machine that slept."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError
from pytest_django import Settings

from accounts import clock
from accounts.kommo.client import KommoClient
from accounts.kommo.stopping import Stopped
from accounts.simulator.world import World
from syncing.adapters.outcomes import Outcome
from syncing.engine.refs import Kind, Ref
from syncing.execution import lanes
from syncing.execution.account_task import AccountTask, LeaseWatch
from syncing.models import AccountRun
from syncing.replication.contract import Checkpoint, Mapped, Record, Result, StoreBefore, Target
from syncing.services.actors import COMMAND
from syncing.services.runs.start import cancel_run
from syncing.tests.house import House, all_well, database, result

CREATED = Outcome("create", "pipeline", "Sales", "", "done")


def wait_for(event: threading.Event) -> None:
    assert event.wait(60)


def test_a_stopping_lane_hands_back_what_it_holds_and_the_next_one_goes_on(house: House) -> None:
    def begin(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        record([CREATED], [Mapped(Ref(Kind.PIPELINE, "7"), "70", "Sales", "", True)], [])
        house.stop.set()
        while True:
            checkpoint("reading")
            time.sleep(0.005)  # as a request takes: spinning would starve the lane's own thread

    run = house.start()
    assert house.work(begin)

    run.refresh_from_db()
    assert run.state == "running"
    assert set(house.states(run).values()) == {"queued"}
    assert not AccountRun.objects.exclude(errors=0, crashes=0).exists()

    house.stop.clear()
    house.work(lambda target, client, record, checkpoint, store_before: result("in_sync"))
    run.refresh_from_db()
    assert run.state == "succeeded"
    assert house.states(run)["north"] == "changed"  # by the first attempt
    assert house.account_run(run, "north").created == 1


def test_a_cancel_stops_between_two_requests_and_says_how_far_it_came(house: House, settings: Settings) -> None:
    settings.SYNC_LEASE = 3
    begun = threading.Event()

    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        record([CREATED], [], [])
        begun.set()
        while True:
            checkpoint("writing pipelines")
            time.sleep(0.005)  # as a request takes: spinning would starve the lane's own thread

    run = house.start()
    lane = threading.Thread(target=in_a_thread, args=(house, replicate, 2))
    lane.start()
    wait_for(begun)
    cancel_run(run, by=COMMAND)
    lane.join(60)

    run.refresh_from_db()
    assert run.state == "cancelled"
    assert set(house.states(run).values()) == {"cancelled"}
    notes = set(run.account_runs.exclude(note="").values_list("note", flat=True))
    assert notes == {"stopped after 0 requests: created: 1. Last: writing pipelines"}


def in_a_thread(house: House, replicate: object, threads: int) -> None:
    with database():
        house.work(replicate, threads=threads)  # type: ignore[arg-type]


def test_a_lane_that_lost_its_claim_stops_and_stores_nothing(house: House, settings: Settings) -> None:
    settings.SYNC_LEASE = 1
    seen: list[str] = []

    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        if not seen:
            seen.append(target.subdomain)
            with database():
                account_run = AccountRun.objects.filter(account__subdomain=target.subdomain)
                account_run.update(fence=99, lane="other", lease_until=clock.now() + timedelta(minutes=1))
            try:
                while True:
                    checkpoint("reading")
                    time.sleep(0.005)  # as a request takes: spinning would starve the lane's own thread
            except Stopped as lost:
                seen.append(lost.code)
                raise
        return result()

    run = house.start()
    house.work(replicate)

    assert seen[1] == "lost_claim"
    account_run = house.account_run(run, seen[0])
    assert (account_run.state, account_run.fence, account_run.errors) == ("running", 99, 0)


def test_without_a_heartbeat_nothing_more_is_sent(house: House, settings: Settings) -> None:
    settings.SYNC_LEASE = 2.0  # a busy machine may need a second until the account is at work
    codes: list[str] = []

    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        task: AccountTask = checkpoint.__self__  # type: ignore[attr-defined]
        task.watch.leases_extended = lambda at: None  # type: ignore[method-assign]
        try:
            while True:
                checkpoint("reading")
                time.sleep(0.005)  # as a request takes: spinning would starve the lane's own thread
        except Stopped as lost:
            codes.append(lost.code)
            raise

    house.start(accounts=[house.accounts["north"]])
    house.work(replicate)

    assert set(codes) == {"lost_claim"}


def test_a_lane_whose_database_went_away_leaves_no_thread_behind(
    house: House, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.SYNC_LEASE = 1
    before = set(threading.enumerate())

    failures: list[str] = []

    def gone(name: str) -> None:
        failures.append(name)
        raise OperationalError("the connection is closed")

    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        monkeypatch.setattr(lanes.processes, "beat", gone)
        while len(failures) < 2:  # a long answer: the next two heartbeats fail
            time.sleep(0.01)
        checkpoint("reading")
        return result()

    house.start()
    with pytest.raises(OperationalError):
        house.work(replicate)

    mine = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith(("account_", "watch"))]
    for thread in mine:
        thread.join(60)
    assert not [thread.name for thread in mine if thread.is_alive()]


def test_a_wait_for_a_turn_ends_when_the_lanes_own_thread_hangs(house: House, settings: Settings) -> None:
    """A task that is not between two requests but within one: it waits for its turn, or to repeat."""
    settings.SYNC_LEASE = 0.5
    codes: list[str] = []

    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        task: AccountTask = checkpoint.__self__  # type: ignore[attr-defined]
        task.watch.leases_extended = lambda at: None  # type: ignore[method-assign]
        try:
            task.stop.sleep(60)
        except Stopped as stopped:
            codes.append(stopped.reason)
            raise
        return result()

    house.start(accounts=[house.accounts["north"]])
    house.work(replicate)

    assert codes == ["lost_claim"]


def test_a_lane_whose_machine_slept_sends_nothing_when_it_wakes(house: House, world: World) -> None:
    """Not even the request that had its turn already: its thread slept between that and the sending."""
    slept = 0.0

    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        task: AccountTask = checkpoint.__self__  # type: ignore[attr-defined]
        pacer = client._transport.pacer
        turn = pacer.wait

        def turn_and_sleep() -> None:
            nonlocal slept
            turn()
            slept = 60

        task.watch.leases_extended = lambda at: None  # type: ignore[method-assign]
        task.watch._clocks = (time.monotonic, lambda: time.monotonic() + slept)
        task.watch._at = task.watch.moment()
        pacer.wait = turn_and_sleep  # type: ignore[method-assign]
        checkpoint("writing")
        client.post("/leads/pipelines", [{"name": "Sales"}])
        return result()

    run = house.start(accounts=[house.accounts["north"]])
    house.work(replicate)

    assert [record.method for record in world.log.of("north")] == []
    assert house.account_run(run, "north").state == "running"  # until its lease has ended; then another lane takes it
    run.refresh_from_db()
    assert run.state == "running"


def test_leases_count_from_before_they_were_extended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that sleeps while they are extended has lost them, though its lane has just had a heartbeat."""
    now = 0.0

    def extend_and_sleep(*args: object) -> dict[int, int]:
        nonlocal now
        now += 60
        return {}

    monkeypatch.setattr(lanes, "LeaseWatch", lambda: LeaseWatch((lambda: now,)))
    monkeypatch.setattr(lanes.claims, "extend_masters", extend_and_sleep)
    lane = lanes.RunningLane("lane", 60.0, 1, house.stop, None, all_well)
    try:
        lane._beat()
        assert lane._watch.is_stale
    finally:
        lane.leave()
