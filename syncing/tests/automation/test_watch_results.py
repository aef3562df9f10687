"""What follows from a change in the master: when it is acted on, in which mode, what it has to wait for, and once."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone, translation

from accounts.models import Account, SyncGroup
from accounts.simulator.edits import add, remove
from accounts.simulator.faults import Fault
from syncing import replication
from syncing.automation import watch_results
from syncing.execution import master as masters
from syncing.models import LogEntry, RunState, SyncRun, Window
from syncing.presentation.log_lines import log_text
from syncing.selectors.watch import is_overdue
from syncing.services import approvals
from syncing.services.actors import SCHEDULE
from syncing.services.runs.start import cancel_run
from syncing.tests.automation.watched import Watched, watched
from syncing.tests.crm import ANNA
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.house import SLAVES, House, result

WHOLE = 2  # requests: the pipelines, and the descriptions of the only one
QUIET = 300  # seconds


@pytest.fixture
def watch(house: House) -> Iterator[Watched]:
    """A watched group whose base is what a run brought; of pipelines alone, which are two requests."""
    with watched(house, sync_custom_fields=False) as made:
        made.bring()
        made.tick()
        yield made


def edit(watch: Watched, name: str = "Won back") -> None:
    add(watch.master, "stage", pipeline_id=next(iter(watch.master.pipelines)), name=name)


def undo(watch: Watched, name: str = "Won back") -> None:
    pipeline = next(iter(watch.master.pipelines.values()))
    remove(watch.master, "stage", [pipeline.id, pipeline.stage(name).id])


def change_seen(watch: Watched) -> None:
    """A stage was added, and the watcher has seen it just now."""
    edit(watch)
    watch.next_at("pipelines")
    assert watch.state == "changed"


# -- quiet --


def test_a_change_that_stays_for_the_quiet_period_starts_one_run_with_the_reading_that_confirmed_it(
    watch: Watched,
) -> None:
    change_seen(watch)
    assert watch.tick(QUIET - 1) == 0
    assert not watch.runs

    assert watch.tick(1) == WHOLE

    (run,) = watch.runs
    assert (run.mode, run.delta, run.whole_group, run.type) == ("apply", True, True, "full")
    assert (run.requester_name, run.master_requests, run.state) == ("watcher", WHOLE, "running")
    assert run.snapshot is not None
    assert (watch.state, watch.row.pending_fingerprint, watch.row.fingerprint) == (
        "running",
        "",
        run.snapshot.fingerprint,
    )
    before = len(watch.house.world.log.of("master"))
    watch.work()
    run.refresh_from_db()
    assert run.state == "succeeded"
    assert len(watch.house.world.log.of("master")) == before  # no lane read the master again
    watch.tick()
    assert watch.state == "idle"


def test_a_run_of_the_watcher_says_in_its_log_what_has_changed(watch: Watched) -> None:
    change_seen(watch)
    watch.tick(QUIET)
    (entry,) = LogEntry.objects.filter(run=watch.runs[0], code="moved")
    assert entry.message == "Changed in the master: pipelines and stages."
    with translation.override("pt-br"):
        assert "funis e etapas" in log_text(entry)


def test_a_fingerprint_starts_one_run_however_it_ends(watch: Watched) -> None:
    change_seen(watch)
    watch.tick(QUIET)
    watch.work(lambda *_: result("failed", "server_error"))

    assert [watch.next_at("pipelines"), watch.next_at("descriptions")] == [1, 1]
    assert len(watch.runs) == 1
    assert watch.state == "idle"  # the accounts are tried again by themselves


def test_a_master_that_changes_again_waits_for_a_quiet_period_anew(watch: Watched) -> None:
    change_seen(watch)
    edit(watch, "Lost again")
    assert watch.tick(QUIET) == WHOLE
    assert (watch.state, watch.runs) == ("changed", [])
    first_seen = watch.row.pending_since

    assert watch.tick(QUIET - 1) == 0
    assert watch.tick(1) == WHOLE
    assert len(watch.runs) == 1
    assert first_seen < watch.row.last_change


def test_a_master_that_never_rests_is_taken_as_it_is_after_six_quiet_periods(watch: Watched) -> None:
    change_seen(watch)
    since = watch.row.pending_since
    for number in range(6):
        assert not watch.runs
        edit(watch, f"Stage {number}")
        watch.tick(QUIET)

    (run,) = watch.runs
    assert timedelta(0) <= run.created_at - since - 6 * timedelta(seconds=QUIET) < timedelta(seconds=60)
    assert "Stage 5" in str(run.snapshot.document)


def test_a_change_that_is_undone_starts_nothing(watch: Watched) -> None:
    change_seen(watch)
    undo(watch)

    assert watch.tick(QUIET) == WHOLE

    assert (watch.state, watch.row.pending_since, watch.runs) == ("idle", None, [])
    assert watch.next() == 1


def test_a_change_that_is_undone_after_its_run_is_a_change_again(watch: Watched) -> None:
    change_seen(watch)
    watch.tick(QUIET)
    watch.work()
    undo(watch)
    watch.next_at("pipelines")
    watch.tick(QUIET)
    watch.work()

    assert [run.state for run in watch.runs] == ["succeeded", "succeeded"]


def test_a_run_by_a_person_that_brings_the_change_first_leaves_nothing_to_do(watch: Watched) -> None:
    change_seen(watch)
    watch.bring()

    watch.tick()

    assert (watch.state, watch.row.pending_fingerprint) == ("idle", "")


def test_a_run_by_a_person_that_brought_a_change_nobody_had_seen_leaves_nothing_to_do(watch: Watched) -> None:
    edit(watch)
    watch.bring()

    assert watch.next_at("pipelines") == 1 + WHOLE
    assert watch.state == "idle"


def test_an_older_state_that_comes_back_is_a_change_when_a_person_brought_another_since(watch: Watched) -> None:
    edit(watch)
    watch.bring()
    watch.next_at("pipelines")
    undo(watch)

    watch.next_at("pipelines")

    assert watch.state == "changed"


# -- modes --


def test_report_tells_once_and_starts_nothing(watch: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watch.policy(watch="report")
    change_seen(watch)
    with caplog.at_level(logging.WARNING, "syncing.notifications"):
        watch.tick(QUIET)
        requests = [watch.next_at("pipelines"), watch.next_at("descriptions")]

    assert [record.message for record in caplog.records] == ["the master of Branches has changed: pipelines"]
    assert requests == [1, 1]
    assert (watch.state, watch.runs) == ("changed", [])
    watch.bring()
    watch.tick()
    assert watch.state == "idle"


def test_what_was_reported_is_brought_when_the_group_begins_to_apply(watch: Watched) -> None:
    watch.policy(watch="report")
    change_seen(watch)
    watch.tick(QUIET)
    watch.policy(watch="apply")

    watch.next()

    assert [run.mode for run in watch.runs] == ["apply"]


def test_another_change_after_a_reported_one_is_told_after_its_own_quiet_period(watch: Watched, caplog) -> None:
    watch.policy(watch="report")
    change_seen(watch)
    watch.tick(QUIET)
    watch.clock.shift(timedelta(hours=3))
    edit(watch, "Lost again")
    caplog.clear()
    with caplog.at_level(logging.WARNING, "syncing.notifications"):
        watch.next_at("pipelines")
        assert not caplog.records
        watch.tick(QUIET)
        assert len(caplog.records) == 1


def test_a_plan_waits_for_approval_and_its_approval_ends_that(watch: Watched) -> None:
    watch.policy(watch="plan")
    change_seen(watch)
    watch.tick(QUIET)
    (plan,) = watch.runs
    assert (plan.mode, watch.state) == ("plan", "running")

    watch.work(replication.replicate)
    watch.tick()
    plan.refresh_from_db()
    assert (plan.state, watch.state) == ("planned", "plan_waits")

    approvals.approve(plan, by=ANNA)
    watch.work(replication.replicate)
    watch.tick()
    assert watch.state == "idle"


def test_where_the_group_requires_approval_to_apply_is_to_plan(watch: Watched) -> None:
    watch.policy(requires_approval=True)
    change_seen(watch)
    watch.tick(QUIET)

    assert [run.mode for run in watch.runs] == ["plan"]


def test_a_plan_without_anything_to_do_waits_for_nobody(watch: Watched) -> None:
    watch.policy(watch="plan")
    change_seen(watch)
    watch.tick(QUIET)
    watch.work(lambda *_: result("in_sync"))
    watch.tick()

    assert watch.state == "idle"


# -- what it waits for --


def test_while_another_run_is_open_the_change_is_kept_and_read_again_right_after_it(watch: Watched) -> None:
    change_seen(watch)
    other = RunFactory(group=watch.house.group, state=RunState.RUNNING, whole_group=False)
    for _ in range(3):
        assert watch.tick(QUIET) == 0
        assert not is_overdue(watch.row, timezone.now())
    assert watch.state == "changed"

    SyncRun.objects.filter(pk=other.pk).update(state=RunState.PARTIAL)
    assert watch.tick() == WHOLE
    assert len(watch.runs) == 1


def test_a_run_that_waits_for_the_end_of_a_freeze_lets_a_plan_pass(watch: Watched) -> None:
    watch.policy(watch="plan")
    freeze(watch, minutes=600)
    held = watch.house.start(by=SCHEDULE)
    change_seen(watch)
    watch.tick(QUIET)

    (plan,) = watch.runs
    assert (plan.mode, plan.state, plan.snapshot is None) == ("plan", "running", False)
    held.refresh_from_db()
    assert held.state == "queued"


def test_a_plan_of_accounts_that_the_run_had_to_refuse_waits_for_approval(watch: Watched) -> None:
    """As of those whose plan deletes something (`automation/reviews.py`)."""
    change_seen(watch)
    watch.tick(QUIET)
    watch.work(lambda *_: result("refused", "needs_review"))
    run = RunFactory(group=watch.house.group, trigger="watch", mode="plan", state="planned", whole_group=False)
    AccountRunFactory(run=run, account=watch.house.accounts["north"], state="planned", plan_digest="x")

    watch.tick()

    assert watch.state == "plan_waits"


def test_a_run_that_begins_while_the_master_is_read_is_waited_for_too(watch: Watched, monkeypatch) -> None:
    change_seen(watch)
    really = watch_results.conclude

    def conclude(look, sighting):
        RunFactory(group=watch.house.group, state=RunState.QUEUED)
        return really(look, sighting)

    monkeypatch.setattr("syncing.automation.watcher.conclude", conclude)
    watch.tick(QUIET)
    assert not watch.runs
    assert watch.tick() == 0
    SyncRun.objects.filter(state=RunState.QUEUED).update(state=RunState.CANCELLED)
    monkeypatch.undo()
    watch.tick()
    assert len(watch.runs) == 1


def test_without_a_slave_that_could_be_worked_nothing_is_asked_until_there_is_one(watch: Watched) -> None:
    change_seen(watch)
    Account.objects.filter(role="slave").update(paused=True)
    assert [watch.tick(QUIET) for _ in range(3)] == [0, 0, 0]
    assert not is_overdue(watch.row, timezone.now())

    Account.objects.update(paused=False)
    assert watch.tick() == WHOLE
    assert len(watch.runs) == 1


@pytest.mark.parametrize("who", [SyncGroup, Account])
def test_while_it_is_paused_nothing_is_asked_and_it_is_not_overdue(watch: Watched, who: type) -> None:
    change_seen(watch)
    who.objects.update(paused=True)

    assert watch.tick(86_400) == 0
    assert watch.state == "paused"
    assert not is_overdue(watch.row, timezone.now())

    who.objects.update(paused=False)
    assert watch.tick() == WHOLE
    assert len(watch.runs) == 1


def freeze(watch: Watched, minutes: int) -> Window:
    cron = f"{timezone.now():%M %H} * * *"
    return Window.objects.create(group=watch.house.group, kind="deny", cron=cron, minutes=minutes, time_zone="UTC")


def test_while_the_group_is_frozen_looks_go_on_and_the_change_waits_for_the_end_of_the_window(watch: Watched) -> None:
    watch.policy(look_seconds=900)
    freeze(watch, minutes=60)
    end = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=60)
    edit(watch)
    watch.next_at("pipelines")
    while watch.row.next_look < end:
        assert watch.state == "frozen"
        assert watch.next() == 1
    assert not watch.runs

    assert watch.row.next_look == end
    assert watch.next() == WHOLE
    assert len(watch.runs) == 1


def test_what_changes_at_the_end_of_a_freeze_waits_for_its_quiet_period(watch: Watched) -> None:
    watch.policy(look_seconds=900)
    freeze(watch, minutes=60)
    end = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=60)
    edit(watch)
    watch.next_at("pipelines")
    while watch.row.next_look < end:
        watch.next()
    edit(watch, "Lost again")

    assert watch.next() == WHOLE
    assert not watch.runs
    assert watch.tick(QUIET) == WHOLE
    assert len(watch.runs) == 1


def test_a_whole_look_by_a_command_writes_nothing_while_the_group_is_frozen(watch: Watched) -> None:
    freeze(watch, minutes=600)
    edit(watch)
    watch.next_at("pipelines")
    watch.clock.shift(timedelta(hours=1))

    assert len(watch.look_anyway(whole=True)) == WHOLE
    assert (watch.state, watch.runs) == ("frozen", [])


@pytest.mark.parametrize("policy", [{"watch": "plan"}, {"requires_approval": True}, {"watch": "report"}])
def test_what_writes_nothing_is_not_frozen(watch: Watched, policy: dict[str, object]) -> None:
    watch.policy(**policy)
    freeze(watch, minutes=60)
    edit(watch)
    watch.next_at("pipelines")

    assert watch.state == "changed"
    assert watch.tick(QUIET) == WHOLE


# -- the run's own reading --


def test_a_master_that_shrank_is_refused_as_in_every_run_and_shown_as_changed(watch: Watched) -> None:
    watch.policy(shrink_minimum_items=1, max_master_shrink=0)
    undo(watch, next(iter(watch.master.pipelines.values())).ordinary[0].name)
    watch.next_at("pipelines")
    watch.tick(QUIET)

    (run,) = watch.runs
    assert (run.state, run.reason) == ("refused", "guard")
    watch.tick()
    assert watch.state == "changed"
    assert watch.next_at("pipelines") == 1
    assert len(watch.runs) == 1


def test_where_the_policy_deletes_what_is_gone_is_asked_for_by_itself(watch: Watched) -> None:
    watch.policy(unmatched_stages="delete_created")
    undo(watch, next(iter(watch.master.pipelines.values())).ordinary[0].name)
    watch.next_at("pipelines")

    assert watch.tick(QUIET) == 2 * WHOLE + 1  # all a second time, and the stage that is gone by itself
    (run,) = watch.runs
    assert (run.deletes_allowed, run.master_requests) == (True, 2 * WHOLE + 1)


# -- kills between the parts --


def test_a_worker_killed_after_the_run_was_made_leaves_it_to_a_lane(watch: Watched, monkeypatch) -> None:
    change_seen(watch)

    def killed(*_: object) -> bool:
        raise SystemExit

    monkeypatch.setattr(masters, "settle", killed)
    with pytest.raises(SystemExit):
        watch.tick(QUIET)
    monkeypatch.undo()
    (run,) = watch.runs
    assert (run.state, run.snapshot) == ("running", None)

    watch.clock.shift(timedelta(seconds=31))
    watch.work()
    run.refresh_from_db()
    assert run.state == "succeeded"
    watch.tick()
    assert watch.state == "idle"
    assert len(watch.runs) == 1


def test_a_worker_killed_while_the_run_is_made_leaves_the_change(watch: Watched, monkeypatch) -> None:
    change_seen(watch)

    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    monkeypatch.setattr(watch_results, "claim_master", killed)
    with pytest.raises(SystemExit):
        watch.tick(QUIET)
    monkeypatch.undo()
    assert not watch.runs
    assert watch.row.pending_fingerprint

    assert watch.next() == WHOLE
    assert len(watch.runs) == 1


def test_a_change_whose_run_died_and_then_met_an_unreadable_master_is_found_again(watch: Watched, monkeypatch) -> None:
    change_seen(watch)
    monkeypatch.setattr(masters, "settle", lambda *_: False)
    watch.tick(QUIET)
    monkeypatch.undo()
    watch.clock.shift(timedelta(seconds=31))
    watch.house.world.faults.add(Fault("401", subdomain="master", times=None))
    watch.work()
    assert watch.runs[0].state == "failed"
    watch.house.world.faults.clear()

    watch.tick()
    assert watch.next() == WHOLE
    assert watch.state == "changed"
    watch.tick(QUIET)
    watch.work()
    assert [run.state for run in watch.runs] == ["failed", "succeeded"]


def test_a_run_that_a_person_cancels_is_not_started_again(watch: Watched) -> None:
    change_seen(watch)
    watch.tick(QUIET)
    cancel_run(watch.runs[0], by=ANNA)

    assert watch.next_at("pipelines") == 1
    assert (len(watch.runs), watch.row.pending_fingerprint) == (1, "")


def test_no_slave_is_asked_before_the_run(watch: Watched) -> None:
    change_seen(watch)
    watch.tick(QUIET)
    assert not any(watch.house.world.log.of(name) for name in SLAVES)
