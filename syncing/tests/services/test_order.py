"""Runs of one group: in order, and past those whose process died."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts import clock
from syncing import conf
from syncing.execution import foreground, lanes, reaper
from syncing.leases import claims, processes
from syncing.models import AccountRun, ProcessKind, SyncRun
from syncing.replication.contract import Result
from syncing.services.runs import order
from syncing.tests.house import House, all_well, database, result


@pytest.fixture
def old(house: House) -> SyncRun:
    """A command's run with two accounts in hand, whose process was killed a moment ago."""
    run = house.start(to_workers=False)
    house.work(lambda *args: leave_behind(run, house), run_id=run.pk, threads=1)
    processes.arrive("killed command", ProcessKind.FOREGROUND, run_id=run.pk)
    return run


def leave_behind(run: SyncRun, house: House) -> Result:
    """The first account ends well; then the process holds two others and is gone."""
    house.stop.set()
    with database():
        held = AccountRun.objects.filter(run=run, state="queued").values_list("pk", flat=True)[:2]
        AccountRun.objects.filter(pk__in=list(held)).update(
            state="running", lane="killed command", lease_until=clock.now() + timedelta(seconds=30)
        )
    return result()


def leases_end(run: SyncRun) -> None:
    past = clock.now() - timedelta(seconds=1)
    run.account_runs.filter(state="running").update(lease_until=past)
    run.processes.update(heartbeat_at=past - conf.lease())


def follow(house: House, meanwhile: Callable[[], None] = lambda: None, **facts: object) -> tuple[SyncRun, list[str]]:
    """A command's run from its beginning to its end, and what it said; `meanwhile` happens after the first sentence."""
    said: list[str] = []
    house.stop.clear()
    run = house.start(to_workers=False, **facts)

    def say(sentence: str) -> None:
        said.append(sentence)
        if len(said) == 1:
            meanwhile()

    foreground.run_to_the_end(run, stop=house.stop, say=say, replicate=all_well)
    return run, said


def test_a_run_waits_for_the_lease_of_a_dead_one_says_so_and_takes_over(house: House, old: SyncRun) -> None:
    run, said = follow(house, lambda: leases_end(old))

    assert f"run {old.pk}" in said[0]
    assert "30 s" in said[0]
    assert run.state == "succeeded"
    old.refresh_from_db()
    assert old.state == "cancelled"
    notes = set(old.account_runs.filter(state="cancelled").values_list("note", flat=True))
    assert notes == {f"superseded by run {run.pk}"}
    assert old.account_runs.filter(state="changed").count() == 1


def test_a_dead_worker_run_is_superseded_by_a_command_when_no_worker_lives(house: House, old: SyncRun) -> None:
    SyncRun.objects.filter(pk=old.pk).update(queued_to_workers=True)
    leases_end(old)

    run, _ = follow(house)

    old.refresh_from_db()
    assert (run.state, old.state) == ("succeeded", "cancelled")


def test_who_asks_for_work_ends_no_run_who_begins_one_does(house: House, old: SyncRun) -> None:
    leases_end(old)
    run = house.start(to_workers=False)

    assert lanes.has_claimable(run.pk)
    old.refresh_from_db()
    assert old.is_open

    house.stop.clear()
    house.work(run_id=run.pk)
    old.refresh_from_db()
    assert old.state == "cancelled"


def test_a_command_goes_before_a_run_that_no_worker_has_begun_and_leaves_it_alone(house: House) -> None:
    first = house.start()

    run, said = follow(house, mode="plan", accounts=[house.accounts["north"]])

    first.refresh_from_db()
    assert run.finished_at
    assert (said, first.state, set(house.states(first).values())) == ([], "queued", {"queued"})
    house.work()
    first.refresh_from_db()
    assert first.state == "succeeded"


def test_an_overtaken_run_waits_for_the_command_that_overtook_it(house: House) -> None:
    first = house.start()
    run = house.start(to_workers=False, mode="plan")
    assert claims.claim_master(run, foreground=True) is not None

    house.work()

    first.refresh_from_db()
    assert first.state == "queued"
    assert f"run {run.pk}" in order.look_ahead(first, foreground=False).waits_for


def test_a_waiting_run_of_living_workers_comes_first(house: House) -> None:
    first = house.start(accounts=[house.accounts["north"]])
    processes.arrive("worker", ProcessKind.WORKER)
    said: list[str] = []
    stop = threading.Event()
    run = house.start(to_workers=False)

    def say(sentence: str) -> None:
        said.append(sentence)
        stop.set()

    foreground.run_to_the_end(run, stop=stop, say=say, replicate=all_well)

    assert f"run {first.pk}" in said[0]
    first.refresh_from_db()
    assert (first.state, run.state) == ("queued", "cancelled")


def test_runs_of_one_group_go_one_after_the_other(house: House) -> None:
    runs = [house.start(accounts=[house.accounts[name]]) for name in ("north", "south", "west")]

    house.work()

    ends = [SyncRun.objects.get(pk=run.pk) for run in runs]
    assert [run.state for run in ends] == ["succeeded"] * 3
    assert ends[0].finished_at <= ends[1].started_at
    assert ends[1].finished_at <= ends[2].started_at


def test_an_interrupted_command_cancels_its_run_and_says_how_far_every_account_came(house: House) -> None:
    stop = threading.Event()
    run = house.start(to_workers=False)

    def replicate(target, client, record, checkpoint, store_before):  # type: ignore[no-untyped-def]
        stop.set()
        while True:
            checkpoint("reading")
            time.sleep(0.005)  # as a request takes: spinning would starve the lane's own thread

    foreground.run_to_the_end(run, stop=stop, replicate=replicate)

    assert run.state == "cancelled"
    begun = run.account_runs.filter(fence__gt=0)
    assert all("stopped after 0 requests" in account_run.note for account_run in begun)


def test_an_interrupted_command_leaves_a_run_that_others_joined_to_the_workers(house: House) -> None:
    stop = threading.Event()
    run = house.start(to_workers=False)

    def replicate(target, client, record, checkpoint, store_before):  # type: ignore[no-untyped-def]
        stop.set()
        while True:
            checkpoint("reading")
            time.sleep(0.005)  # as a request takes: spinning would starve the lane's own thread

    assert house.start().pk == run.pk  # a webhook, say
    foreground.run_to_the_end(run, stop=stop, replicate=replicate)

    assert run.state == "running"
    assert set(house.states(run).values()) == {"queued"}


def test_an_interrupted_command_leaves_a_run_to_the_other_command_that_joined_it(house: House) -> None:
    run = house.start(to_workers=False)
    processes.arrive("other command", ProcessKind.FOREGROUND, run_id=run.pk)
    house.stop.set()

    assert foreground.run_to_the_end(run, stop=house.stop).state == "queued"
    processes.leave("other command")

    assert foreground.run_to_the_end(run, stop=house.stop).state == "cancelled"


# -- the reaper --


def test_the_reaper_ends_the_run_of_a_command_that_died(house: House, old: SyncRun) -> None:
    assert reaper.reap()["ended"] == 0
    leases_end(old)

    assert reaper.reap()["ended"] == 1

    old.refresh_from_db()
    assert old.state == "cancelled"
    assert reaper.ORPHANED in set(old.account_runs.values_list("note", flat=True))


def test_the_reaper_leaves_a_run_alone_that_a_command_is_about_to_begin(house: House) -> None:
    run = house.start(to_workers=False)

    assert reaper.reap()["ended"] == 0
    run.refresh_from_db()
    assert run.state == "queued"
