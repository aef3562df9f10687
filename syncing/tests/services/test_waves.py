"""Waves: who is worked when, what stops the ones behind, and that exactly one caller decides."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django_q.models import OrmQ

from accounts.models import Account, SyncGroup
from accounts.simulator.faults import Fault
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from syncing import conf, store
from syncing.models import AccountRun, AuditEntry, LogEntry, RunMode, RunPurpose, SyncRun
from syncing.services import claims, foreground, presence, reaper, replication, sequence, waves
from syncing.services.audit import COMMAND
from syncing.services.contract import Checkpoint, Job, Keep, Record, Result
from syncing.services.making import CannotStart
from syncing.services.runs import cancel_run
from syncing.tests.services.conftest import House, all_well, database, result

PILOT = ["north"]
OTHERS = ["east", "south", "west"]


def policy(house: House, *, pilots: list[str] = PILOT, **facts: object) -> None:
    SyncGroup.objects.update(**facts)
    Account.objects.filter(subdomain__in=pilots).update(is_pilot=True)
    house.group.refresh_from_db()


def numbers(run: SyncRun) -> dict[str, int]:
    return dict(run.account_runs.values_list("account__subdomain", "wave"))


class Slaves:
    """A stand-in that keeps the order of its accounts, and fails those that it is told to."""

    def __init__(self, **states: str) -> None:
        self.states = states
        self.worked: list[str] = []

    def __call__(self, job: Job, client: Any, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        self.worked.append(job.subdomain)
        state = self.states.get(job.subdomain, "changed")
        return result(state, {"failed": "unpaid", "refused": "guard"}.get(state))


def end(run: SyncRun, *names: str, state: str = "changed", **facts: object) -> None:
    """As if a process had ended these accounts, and died before it could do any more."""
    SyncRun.objects.filter(pk=run.pk).update(state="running", snapshot=snapshot(run), fence=1)
    run.account_runs.filter(account__subdomain__in=names).update(state=state, finished_at=store.now(), **facts)


def snapshot(run: SyncRun) -> Any:
    return run.snapshot or run.group.snapshots.create(type="full", document={}, fingerprint="x")


def claimed(lane: str = "lane") -> set[str]:
    taken = [claim.account_run_id for claim in claims.claim_accounts(lane, 50)]
    return set(AccountRun.objects.filter(pk__in=taken).values_list("account__subdomain", flat=True))


# -- numbers --


def test_without_pilots_and_size_a_run_is_one_wave(house: House) -> None:
    assert set(numbers(house.start()).values()) == {0}


def test_the_pilots_are_the_first_wave_and_the_others_follow_by_size(house: House) -> None:
    policy(house, wave_size=2)

    assert numbers(house.start()) == {"north": 0, "south": 1, "west": 1, "east": 2}


def test_sizes_may_be_percent_of_all_accounts(house: House) -> None:
    policy(house, wave_size=25, wave_unit="percent")

    assert numbers(house.start()) == {"north": 0, "south": 1, "west": 2, "east": 3}


def test_a_pilot_that_is_not_in_the_run_and_one_among_pilots_only_change_nothing(house: House) -> None:
    policy(house)

    for names in (OTHERS, PILOT):
        run = house.start(accounts=[house.accounts[name] for name in names])
        assert set(numbers(run).values()) == {0}


def test_a_paused_pilot_is_no_pilot(house: House) -> None:
    policy(house)
    Account.objects.filter(subdomain="north").update(paused=True)

    assert set(numbers(house.start()).values()) == {0}


@pytest.mark.parametrize(
    "facts", [{"mode": RunMode.PLAN}, {"mode": RunMode.PLAN, "purpose": RunPurpose.DRIFT}], ids=["plan", "drift"]
)
def test_a_run_that_only_reads_is_one_wave(house: House, facts: dict[str, str]) -> None:
    policy(house, wave_size=1)

    assert set(numbers(house.start(**facts)).values()) == {0}


# -- who may be claimed --


def test_only_accounts_of_the_present_wave_are_claimed(house: House) -> None:
    policy(house, wave_size=1)
    run = house.start()
    end(run)

    assert claimed() == {"north"}
    SyncRun.objects.filter(pk=run.pk).update(wave=2)
    assert claimed() == {"south", "west"}


@pytest.mark.parametrize("facts", [{"wave_held": True}, {"wave_due_at": store.now() + timedelta(hours=1)}])
def test_nothing_is_claimed_while_a_run_rests(house: House, facts: dict[str, object]) -> None:
    policy(house)
    run = house.start()
    end(run, "north")
    SyncRun.objects.filter(pk=run.pk).update(wave=1, **facts)

    assert claimed() == set()
    SyncRun.objects.filter(pk=run.pk).update(wave_held=False, wave_due_at=store.now() - timedelta(seconds=1))
    assert claimed() == set(OTHERS)


# -- from wave to wave --


def test_waves_go_one_after_the_other_and_end_in_success(house: House) -> None:
    policy(house, wave_size=2, max_failure_share=0)
    run, slaves = house.start(), Slaves()

    assert not house.work(slaves)

    run.refresh_from_db()
    assert (run.state, run.wave, run.note) == ("succeeded", 2, "")
    assert [slaves.worked[0], set(slaves.worked[1:3]), slaves.worked[3]] == ["north", {"south", "west"}, "east"]
    said = list(LogEntry.objects.filter(run=run, code="wave").values_list("message", flat=True))
    assert said == [
        "wave 1 of 3 is done: 0 of 1 accounts failed; wave 2 starts now",
        "wave 2 of 3 is done: 0 of 2 accounts failed; wave 3 starts now",
    ]


@pytest.mark.parametrize("state", ["failed", "refused", "partial"])
def test_a_pilot_that_fails_leaves_the_others_untouched_and_says_why_and_what_to_do(house: House, state: str) -> None:
    policy(house)
    run, slaves = house.start(), Slaves(north=state)

    house.work(slaves)

    assert slaves.worked == ["north"]
    assert house.states(run) == {"north": state, **dict.fromkeys(OTHERS, "skipped")}
    run.refresh_from_db()
    part = house.part(run, "south")
    assert (run.reason, run.error, part.reason) == ("guard", part.error, "guard")
    assert run.state in ("failed", "partial")
    assert "1 of 1 accounts of wave 1 of 2 failed (100.00%; 10% are allowed)" in part.error["message"]
    assert f"north {state}" in part.error["message"]
    assert "retry" in part.error["remedy"]
    assert "raise" in part.error["remedy"]
    assert LogEntry.objects.filter(run=run, code="guard", level="error", message=part.error["message"]).count() == 1


def test_the_sentence_names_a_few_of_the_failed_and_their_reasons(house: House) -> None:
    policy(house, pilots=[], wave_size=5)
    for name in ("one", "two"):
        house.accounts[name] = AccountFactory(group=house.group, subdomain=name)
    run, slaves = house.start(), Slaves(**dict.fromkeys(("north", "south", "west", "east"), "failed"))

    house.work(slaves)

    message = house.part(run, "two").error["message"]
    assert "4 of 5 accounts of wave 1 of 2 failed (80.00%" in message
    assert message.count("failed (unpaid: It did)") == 3
    assert "and 1 more" in message


def test_failures_within_the_limit_let_the_next_wave_start(house: House) -> None:
    policy(house, pilots=[], wave_size=2, max_failure_share=50)
    run, slaves = house.start(), Slaves(north="failed")

    house.work(slaves)

    assert len(slaves.worked) == 4
    run.refresh_from_db()
    assert (run.state, run.reason) == ("partial", "")


def test_each_wave_is_judged_by_its_own_failures(house: House) -> None:
    policy(house, pilots=[], wave_size=1, max_failure_share=0)
    run, slaves = house.start(), Slaves(west="failed")

    house.work(slaves)

    assert slaves.worked == ["north", "south", "west"]
    run.refresh_from_db()
    assert (run.state, run.reason, house.states(run)["east"]) == ("partial", "guard", "skipped")


def test_an_account_paused_meanwhile_and_one_that_changed_since_its_approval_are_no_failures(house: House) -> None:
    policy(house, pilots=["north", "south"], max_failure_share=0)
    run = house.start()
    Account.objects.filter(subdomain="north").update(paused=True)

    def replicate(job: Job, client: Any, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        return result("refused", "stale_plan") if job.subdomain == "south" else result()

    house.work(replicate)

    states = house.states(run)
    assert (states["north"], states["south"], states["west"], states["east"]) == (
        *("skipped", "refused", "changed", "changed"),
    )
    run.refresh_from_db()
    assert run.state == "partial"


def test_a_last_account_of_a_wave_that_is_not_touched_any_more_starts_the_next_one(house: House) -> None:
    policy(house)
    run = house.start()
    Account.objects.filter(subdomain="north").update(paused=True)

    while house.work(threads=1):  # the lane ends, its continuation goes on
        pass

    assert house.states(run) == {"north": "skipped", **dict.fromkeys(OTHERS, "changed")}


def test_a_failing_pilot_leaves_118_accounts_without_a_single_request(house: House, world: World) -> None:
    """The request log of the simulator is the witness."""
    for number in range(115):
        name = f"branch-{number}"
        AccountFactory(group=house.group, subdomain=name, token=world.add_account(name).token)
    world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    policy(house, wave_size=10, wave_unit="percent")
    world.faults.add(Fault("402", subdomain="north", times=None))
    run = house.start()

    house.work(replication.replicate, threads=16)

    assert {record.subdomain for record in world.log} == {"master", "north"}
    assert {record.method for record in world.log} == {"GET"}
    run.refresh_from_db()
    assert (run.state, run.reason, run.totals["skipped"], run.totals["failed"]) == ("failed", "guard", 118, 1)
    assert "north failed (unpaid" in run.error["message"]


# -- one decision, whoever dies --


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
    late = waves.finished().select_related("group").get(pk=ended.pk)
    assert waves.advance(ended.pk)

    assert not waves._stop(late, waves.Tally(1, 1))
    assert not waves._open_next(late, waves.Tally(1, 0))

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


def test_an_account_that_a_dead_lane_gave_back_keeps_its_wave_open(house: House) -> None:
    policy(house, pilots=["north", "south"])
    run = house.start()
    end(run, "north")
    past = store.now() - timedelta(seconds=1)
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
            except CannotStart as refused:
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

    with pytest.raises(CannotStart):
        waves.continue_run(run, by=COMMAND, wave=2)

    run.refresh_from_db()
    assert (run.wave, run.wave_held) == (2, True)


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_what_does_not_wait_cannot_be_continued(house: House, state: str) -> None:
    run = house.start()
    SyncRun.objects.update(state=state)

    with pytest.raises(CannotStart) as refused:
        waves.continue_run(run, by=COMMAND)

    assert refused.value.code == "nothing_to_continue"
    assert str(run.pk) in refused.value.message
    assert refused.value.remedy


def test_a_held_run_can_be_cancelled(house: House, held: SyncRun) -> None:
    cancel_run(held, by=None)

    assert (held.state, held.wave_held) == ("cancelled", False)
    assert house.states(held) == {"north": "changed", **dict.fromkeys(OTHERS, "cancelled")}
    with pytest.raises(CannotStart):
        waves.continue_run(held, by=COMMAND)


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
    SyncRun.objects.filter(pk=run.pk).update(wave_due_at=store.now() - timedelta(seconds=1))


def test_a_pause_ends_by_itself(house: House, paused: SyncRun) -> None:
    assert paused.wave_due_at is not None
    assert timedelta(minutes=59) < paused.wave_due_at - store.now() <= timedelta(minutes=60)
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
    cancel_run(paused, by=None)

    assert paused.state == "cancelled"


# -- a command --


def follow(house: House, run: SyncRun, say: Any) -> SyncRun:
    return foreground.work_to_the_end(run, stop=house.stop, say=say, replicate=all_well)


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
        SyncRun.objects.filter(pk=run.pk).update(wave_due_at=store.now() + timedelta(seconds=0.2))

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
    presence.arrive("command", presence.Kind.FOREGROUND, run_id=run.pk)
    run.refresh_from_db()
    assert run.wave_held
    return run


def test_the_reaper_leaves_a_held_run_alone_while_its_command_lives(house: House, of_command: SyncRun) -> None:
    assert reaper.reap()["ended"] == 0
    of_command.lanes.update(heartbeat_at=store.now() - 2 * conf.lease())

    assert reaper.reap()["ended"] == 1
    of_command.refresh_from_db()
    assert of_command.state == "cancelled"


def test_another_command_waits_for_a_held_one_and_says_what_it_waits_for(house: House, of_command: SyncRun) -> None:
    run = house.start(to_workers=False)

    reason = sequence.clear_way(run, foreground=True)

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
        presence.arrive("worker", presence.Kind.WORKER)
        foreground.work_to_the_end(plan, stop=house.stop, replicate=lambda *args: result("planned"))

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
    assert f"continue_run {held.pk}" in sequence.clear_way(behind, foreground=False)


def test_a_plan_waits_for_a_run_that_does_not_rest(house: House, ended: SyncRun) -> None:
    plan = house.start(mode=RunMode.PLAN)

    assert claims.claim_master(plan) is None


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
