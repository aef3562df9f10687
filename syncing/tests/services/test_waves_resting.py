"""Runs that rest between two waves: held or in a pause, in a command, and beside others of their group."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django_q.models import OrmQ

from accounts import clock
from accounts.refusals import Refusal
from syncing import conf
from syncing.execution import foreground, reaper
from syncing.leases import claims, processes
from syncing.models import AuditEntry, ProcessKind, RunMode, SyncRun
from syncing.services.actors import COMMAND
from syncing.services.runs import order, waves
from syncing.services.runs.start import cancel_run
from syncing.tests.house import House, all_well, database, result
from syncing.tests.waving import OTHERS, Slaves, claimed, policy, snapshot

# -- hold --


@pytest.fixture
def held(house: House) -> SyncRun:
    """Its pilot went well; the next wave waits for Continue."""
    policy(house, wave_hold=True)
    run = house.start()
    assert not house.work()
    run.refresh_from_db()
    return run


def test_a_held_run_stays_running_and_says_what_it_waits_for(house: House, held: SyncRun) -> None:
    assert (held.state, held.wave, held.wave_held) == ("running", 1, True)
    assert held.note == "wave 1 of 2 is done; waits for Continue"
    assert house.states(held) == {"north": "changed", **dict.fromkeys(OTHERS, "queued")}
    assert reaper.reap()["lanes"] == 0


def test_continue_starts_the_next_wave_and_is_written_down(house: House, held: SyncRun) -> None:
    OrmQ.objects.all().delete()

    waves.continue_run(held, by=COMMAND)

    assert OrmQ.objects.count() == 2
    house.work()
    held.refresh_from_db()
    assert held.state == "succeeded"
    entry = AuditEntry.objects.get(action="continued")
    assert (entry.run, entry.actor, entry.via, entry.details) == (
        *(held.pk, COMMAND.name, COMMAND.via, {"wave": 2, "waves": 2}),
    )


def test_of_many_who_press_continue_one_does_and_the_others_are_told(house: House, held: SyncRun) -> None:
    def press(_: int) -> str:
        with database():
            try:
                waves.continue_run(SyncRun.objects.get(pk=held.pk), by=COMMAND)
            except Refusal as refused:
                return refused.code
            return "done"

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(press, range(6)))

    assert answers == ["done", *["nothing_to_continue"] * 5]
    assert AuditEntry.objects.filter(action="continued").count() == 1


def test_an_old_page_does_not_start_a_later_wave(house: House) -> None:
    policy(house, wave_hold=True, wave_size=1)
    run = house.start()
    house.work()
    waves.continue_run(run, by=COMMAND, wave=2)
    house.work()

    with pytest.raises(Refusal) as refused:
        waves.continue_run(run, by=COMMAND, wave=2)
    assert refused.value.code == "nothing_to_continue"

    run.refresh_from_db()
    assert (run.wave, run.wave_held) == (2, True)


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_what_does_not_wait_cannot_be_continued(house: House, state: str) -> None:
    run = house.start()
    SyncRun.objects.update(state=state)

    with pytest.raises(Refusal) as refused:
        waves.continue_run(run, by=COMMAND)

    assert refused.value.code == "nothing_to_continue"
    assert str(run.pk) in refused.value.message
    assert refused.value.remedy


def test_a_held_run_can_be_cancelled(house: House, held: SyncRun) -> None:
    cancel_run(held, by=COMMAND)

    assert (held.state, held.wave_held) == ("cancelled", False)
    assert house.states(held) == {"north": "changed", **dict.fromkeys(OTHERS, "cancelled")}
    with pytest.raises(Refusal) as refused:
        waves.continue_run(held, by=COMMAND)
    assert refused.value.code == "nothing_to_continue"


def test_a_hold_asks_only_when_the_wave_went_well(house: House) -> None:
    policy(house, wave_hold=True)
    run = house.start()

    house.work(Slaves(north="failed"))

    run.refresh_from_db()
    assert (run.state, run.wave_held) == ("failed", False)


# -- pause --


@pytest.fixture
def paused(house: House) -> SyncRun:
    """Its pilot went well; the next wave starts in an hour."""
    policy(house, wave_wait=60)
    run = house.start()
    assert not house.work()
    run.refresh_from_db()
    return run


def due(run: SyncRun) -> None:
    SyncRun.objects.filter(pk=run.pk).update(wave_due_at=clock.now() - timedelta(seconds=1))


def test_a_pause_ends_by_itself(house: House, paused: SyncRun) -> None:
    assert paused.wave_due_at is not None
    assert timedelta(minutes=59) < paused.wave_due_at - clock.now() <= timedelta(minutes=60)
    assert "wave 1 of 2 is done; wave 2 starts at " in paused.note
    OrmQ.objects.all().delete()
    assert reaper.reap()["lanes"] == 0

    due(paused)
    assert reaper.reap()["lanes"] == 2

    house.work()
    paused.refresh_from_db()
    assert (paused.state, paused.wave_due_at) == ("succeeded", None)


def test_continue_ends_a_pause_at_once(house: House, paused: SyncRun) -> None:
    waves.continue_run(paused, by=COMMAND)

    assert claimed() == set(OTHERS)


def test_a_run_in_its_pause_can_be_cancelled(house: House, paused: SyncRun) -> None:
    cancel_run(paused, by=COMMAND)

    assert paused.state == "cancelled"


# -- a command --


def follow(house: House, run: SyncRun, say: Any) -> SyncRun:
    return foreground.run_to_the_end(run, stop=house.stop, say=say, replicate=all_well)


def test_a_command_waits_says_so_once_and_goes_on_when_somebody_continues(house: House) -> None:
    policy(house, wave_hold=True)
    run = house.start(to_workers=False)
    said: list[str] = []

    def press() -> None:
        with database():
            waves.continue_run(SyncRun.objects.get(pk=run.pk), by=COMMAND)

    def say(sentence: str) -> None:
        said.append(sentence)
        threading.Timer(0.7, press).start()  # it looks twice before

    follow(house, run, say)

    assert run.state == "succeeded"
    (sentence,) = said
    assert sentence.startswith(f"wave 1 of 2 is done; waiting for 'continue_run {run.pk}'")


def test_a_command_sits_through_the_pause(house: House) -> None:
    policy(house, wave_wait=1)
    run = house.start(to_workers=False)
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        SyncRun.objects.filter(pk=run.pk).update(wave_due_at=clock.now() + timedelta(seconds=0.2))

    follow(house, run, say)

    assert run.state == "succeeded"
    assert "wave 2 starts at" in said[0]


def test_an_interrupted_command_cancels_the_run_that_it_held(house: House) -> None:
    policy(house, wave_hold=True)
    run = house.start(to_workers=False)

    follow(house, run, lambda sentence: house.stop.set())

    assert (run.state, house.states(run)["south"]) == ("cancelled", "cancelled")


@pytest.fixture
def of_command(house: House) -> SyncRun:
    """Held, by a command that sits there and waits."""
    policy(house, wave_hold=True)
    run = house.start(to_workers=False)
    house.work(run_id=run.pk)
    processes.arrive("command", ProcessKind.FOREGROUND, run_id=run.pk)
    run.refresh_from_db()
    assert run.wave_held
    return run


def test_the_reaper_leaves_a_held_run_alone_while_its_command_lives(house: House, of_command: SyncRun) -> None:
    assert reaper.reap()["ended"] == 0
    of_command.processes.update(heartbeat_at=clock.now() - 2 * conf.lease())

    assert reaper.reap()["ended"] == 1
    of_command.refresh_from_db()
    assert of_command.state == "cancelled"


def test_another_command_waits_for_a_held_one_and_says_what_it_waits_for(house: House, of_command: SyncRun) -> None:
    run = house.start(to_workers=False)

    reason = order.look_ahead(run, foreground=True).waits_for

    assert f"run {of_command.pk}" in reason
    assert f"continue_run {of_command.pk}" in reason


# -- others of the group --


@pytest.mark.parametrize("rests", ["held", "paused"])
def test_a_command_does_not_supersede_a_resting_run_though_no_worker_lives(
    house: House, rests: str, request: pytest.FixtureRequest
) -> None:
    old: SyncRun = request.getfixturevalue(rests)
    run = house.start(to_workers=False)

    def say(sentence: str) -> None:
        assert f"waiting for run {old.pk} of the same group: wave 1 of 2 is done" in sentence
        assert f"continue_run {old.pk}" in sentence
        house.stop.set()

    follow(house, run, say)

    old.refresh_from_db()
    assert (old.state, run.state) == ("running", "cancelled")


@pytest.mark.parametrize("to_workers", [True, False])
def test_a_plan_overtakes_a_resting_run_and_what_waits_behind_it(house: House, held: SyncRun, to_workers: bool) -> None:
    behind = house.start()
    plan = house.start(mode=RunMode.PLAN, to_workers=to_workers)

    if to_workers:
        house.work(lambda *args: result("planned"))
        plan.refresh_from_db()
    else:
        processes.arrive("worker", ProcessKind.WORKER)
        foreground.run_to_the_end(plan, stop=house.stop, replicate=lambda *args: result("planned"))

    assert plan.state == "planned"
    for other, state in ((held, "running"), (behind, "queued")):
        other.refresh_from_db()
        assert other.state == state
    policy(house, wave_hold=False)
    waves.continue_run(held, by=COMMAND)
    house.work()
    assert set(SyncRun.objects.values_list("state", flat=True)) == {"succeeded", "planned"}


def test_plans_that_overtake_a_resting_run_still_go_one_after_the_other(house: House, held: SyncRun) -> None:
    first = house.start(mode=RunMode.PLAN)
    second = house.start(mode=RunMode.PLAN, type="pipelines")
    assert claims.claim_master(first) is not None

    assert claims.claim_master(second) is None


def test_a_run_that_writes_does_not_overtake_a_resting_one(house: House, held: SyncRun) -> None:
    behind = house.start()

    house.work()

    behind.refresh_from_db()
    assert behind.state == "queued"
    assert f"continue_run {held.pk}" in order.look_ahead(behind, foreground=False).waits_for


def test_a_continued_run_and_the_plan_that_overtook_it_never_have_the_same_account(house: House, held: SyncRun) -> None:
    plan = house.start(mode=RunMode.PLAN)
    assert claims.claim_master(plan) is not None
    SyncRun.objects.filter(pk=plan.pk).update(snapshot=snapshot(plan))
    (first,) = claims.claim_accounts("reader", 1, plan.pk)
    others = [claim.account_id for claim in claims.claim_accounts("reader", 1, plan.pk)]

    waves.continue_run(held, by=COMMAND)
    taken = [claim.account_id for claim in claims.claim_accounts("writer", 50, held.pk)]

    busy = {first.account_id, *others}
    assert not busy & set(taken)
    assert len(taken) == len({house.accounts[name].pk for name in OTHERS} - busy)


def test_a_held_run_keeps_its_master_and_its_log_however_many_overtake_it(
    house: House, held: SyncRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conf, "KEEP_LOGS_OF", 1)
    for number in range(3):
        later = SyncRun.objects.create(group=house.group, trigger="schedule", mode="plan", state="planned")
        later.snapshot = house.group.snapshots.create(type="full", document={}, fingerprint=str(number))
        later.save()

    reaper.reap()

    held.refresh_from_db()
    assert held.snapshot_id
    assert held.log.filter(code="wave").exists()
