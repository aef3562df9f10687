"""Frozen and paused groups: what people ask for is refused, what comes by itself waits, what is at work ends."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from accounts.simulator.world import World
from syncing.automation import drift_checks
from syncing.automation.tick import tick
from syncing.execution import lanes
from syncing.leases import claims
from syncing.models import AccountRun, SyncRun, Window
from syncing.services import approvals
from syncing.services.actors import COMMAND, HEAL, RETRY, SCHEDULE, WATCH, WEBHOOK
from syncing.services.runs.holds import why_held
from syncing.tests.commands import document
from syncing.tests.crm import asked
from syncing.tests.factories import API, AccountRunFactory, RunFactory
from syncing.tests.house import House, database, result

ADMIN = Actor("ana", "admin")
TOLD = "The group Branches is frozen until "


def freeze(group: SyncGroup) -> datetime:
    """Freezes the group for the last and the next hour; returns the end."""
    began = timezone.now().replace(second=0, microsecond=0) - timedelta(hours=1)
    Window.objects.create(
        group=group, kind="deny", cron=f"{began.minute} {began.hour} * * *", minutes=120, time_zone="UTC"
    )
    return began + timedelta(hours=2)


def pause(group: SyncGroup, **facts: object) -> None:
    SyncGroup.objects.filter(pk=group.pk).update(paused=True, **facts)
    group.refresh_from_db()


def refused(house: House, **facts: object) -> Refusal:
    before = SyncRun.objects.count()
    with pytest.raises(Refusal) as refusal:
        house.start(**facts)
    assert SyncRun.objects.count() == before
    return refusal.value


# -- frozen, by hand --


@pytest.mark.parametrize("by", [ADMIN, COMMAND, API], ids=lambda by: by.via)
def test_a_start_by_hand_is_refused_and_says_until_when(house: House, by: Actor) -> None:
    SyncGroup.objects.update(time_zone="America/Sao_Paulo")
    until = freeze(house.group) - timedelta(hours=3)
    refusal = refused(house, by=by)
    assert refusal.code == "frozen"
    assert refusal.message == f"{TOLD}{until.day} {until:%b %Y, %H:%M} (America/Sao_Paulo)."
    assert refusal.remedy == "Wait until then, or override it with --force --reason TEXT."


def test_a_freeze_is_overridden_with_a_reason(house: House) -> None:
    freeze(house.group)
    run = house.start(forced=True, force_reason="production is down")
    assert why_held(run) == ""
    house.work()
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_plans_and_drift_checks_are_never_frozen(house: House) -> None:
    freeze(house.group)
    for facts in ({"mode": "plan"}, {"mode": "plan", "purpose": "drift"}):
        run = house.start(**facts)
        house.work()
        run.refresh_from_db()
        assert run.state == "failed" or run.finished_at  # the stand-in plans nothing
        assert run.is_master_read


def test_a_run_by_hand_does_not_join_one_that_waits_for_the_end_of_the_freeze(house: House) -> None:
    freeze(house.group)
    house.start(by=WEBHOOK)
    assert refused(house, by=API).code == "frozen"


def test_approvals_and_rollbacks_are_refused_too(house: House) -> None:
    plan = RunFactory(group=house.group, mode="plan", state="planned")
    AccountRunFactory(run=plan, account=house.accounts["north"], state="planned", plan_digest="a")
    freeze(house.group)
    with pytest.raises(Refusal) as refusal:
        approvals.approve(plan, by=COMMAND)
    assert (refusal.value.code, refusal.value.remedy) == ("frozen", "Wait until then.")


def test_a_plan_that_was_forced_is_applied_in_spite_of_the_freeze(house: House) -> None:
    facts = {"forced": True, "force_reason": "production is down"}
    plan = RunFactory(group=house.group, mode="plan", state="planned", **facts)
    AccountRunFactory(run=plan, account=house.accounts["north"], state="planned", plan_digest="a")
    freeze(house.group)
    assert why_held(approvals.approve(plan, by=COMMAND).run) == ""


# -- frozen, by itself --


@pytest.mark.parametrize("by", [WEBHOOK, SCHEDULE, WATCH, RETRY, HEAL], ids=lambda by: by.via)
def test_what_comes_by_itself_waits_says_until_when_and_runs_at_the_end(house: House, world: World, by: Actor) -> None:
    until = freeze(house.group)
    run = house.start(by=by)
    assert not lanes.has_claimable()
    assert not house.work()
    run.refresh_from_db()
    assert (run.state, run.fence, asked(house, "master")) == ("queued", 0, [])

    tick()
    run.refresh_from_db()
    assert run.note.startswith(TOLD)

    with time_machine.travel(until + timedelta(seconds=1)):
        assert lanes.has_claimable()
        assert tick()["notes"] == 1
        run.refresh_from_db()
        assert run.note == ""
        house.work()
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_a_run_at_work_when_the_window_opens_ends(house: House) -> None:
    run = house.start()
    lane_run = claims.claim_master(run)
    assert lane_run is not None
    freeze(house.group)
    claims.release_master(lane_run)
    house.work()
    run.refresh_from_db()
    assert (run.state, set(house.states(run).values())) == ("succeeded", {"changed"})


def test_plans_and_forced_runs_overtake_what_waits_for_the_end_of_the_freeze(house: House) -> None:
    freeze(house.group)
    waiting = house.start(by=WEBHOOK)
    plan = house.start(mode="plan")
    forced = house.start(forced=True, force_reason="production is down")

    house.work()

    states = dict(SyncRun.objects.values_list("pk", "fence"))
    assert states == {waiting.pk: 0, plan.pk: 1, forced.pk: 1}
    forced.refresh_from_db()
    assert forced.state == "succeeded"


def test_a_run_that_was_begun_meanwhile_is_not_overtaken(house: House) -> None:
    waiting, other = house.start(), house.start(mode="plan")
    claims.claim_master(waiting)
    assert claims.claim_master(other, held=[waiting.pk]) is None


def test_a_check_for_drift_by_schedule_does_not_wait_for_the_end_of_a_freeze(house: House) -> None:
    SyncGroup.objects.update(drift_hours=1)
    freeze(house.group)
    waiting = house.start(by=WEBHOOK)
    assert drift_checks.start_due() == 1
    house.work()
    waiting.refresh_from_db()
    assert (waiting.state, SyncRun.objects.get(purpose="drift").fence) == ("queued", 1)
    assert drift_checks.start_due() == 0


# -- a paused group --


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_of_a_paused_group_nothing_starts_by_hand(house: House, mode: str) -> None:
    pause(house.group, pause_reason="moving offices")
    refusal = refused(house, mode=mode)
    assert (refusal.code, refusal.remedy) == ("paused", "Resume the group first.")
    assert refusal.message == "The group Branches is paused. Reason: moving offices."
    pause(house.group, paused_until=datetime(2999, 1, 1, 12, tzinfo=timezone.get_fixed_timezone(0)))
    assert refused(house, mode=mode, forced=True, force_reason="so").message == (
        "The group Branches is paused until 1 Jan 2999, 12:00 (UTC). Reason: moving offices."
    )


def test_what_comes_by_itself_waits_for_the_end_of_the_pause(house: House, world: World) -> None:
    end = timezone.now() + timedelta(hours=1)
    pause(house.group, paused_until=end)
    run = house.start(by=WEBHOOK)
    assert not house.work()
    tick()
    run.refresh_from_db()
    assert run.note.startswith("The group Branches is paused until ")
    assert asked(house, "master") == []

    with time_machine.travel(end):
        house.work()
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_accounts_of_a_running_run_that_are_not_begun_are_skipped_when_their_group_is_paused(
    house: House, world: World
) -> None:
    run = house.start()
    while house.work(lambda *args: _pausing(house), threads=1):
        pass
    states = list(AccountRun.objects.filter(run=run).order_by("pk").values_list("state", "reason", "note"))
    assert states == [
        ("changed", "", ""),
        *[("skipped", "paused", "its group was paused since the run was asked for")] * 3,
    ]


def _pausing(house: House) -> object:
    with database():
        pause(house.group)
    return result()


# -- a paused account that is named --


def test_a_paused_account_that_is_named_is_skipped_without_a_request(house: House, world: World) -> None:
    Account.objects.filter(subdomain="south").update(paused=True)
    code, told = document("--account", "south")
    assert code == 1
    assert (told["state"], told["reason"]) == ("failed", "paused")
    assert [(each["subdomain"], each["state"], each["reason"]) for each in told["accounts"]] == [
        ("south", "skipped", "paused")
    ]
    assert list(world.log) == []


def test_beside_others_it_is_skipped_and_the_run_is_not_good(house: House, world: World) -> None:
    Account.objects.filter(subdomain="south").update(paused=True)
    code, told = document("--account", "south", "--account", "north", "--plan")
    assert code == 1
    assert {each["subdomain"]: each["state"] for each in told["accounts"]}["south"] == "skipped"
    assert asked(house, "south") == []
