"""Triggers that come close together: the first starts, the others become one follow-up that waits for the last."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from accounts import clock
from accounts.actors import Actor
from accounts.models import SyncGroup
from accounts.tests.factories import AccountFactory
from syncing.execution import lanes
from syncing.leases import claims
from syncing.models import AccountRun, AuditEntry, LogEntry, SyncRun, Trigger
from syncing.services.actors import COMMAND, SCHEDULE, WEBHOOK
from syncing.services.keys import create_key
from syncing.services.runs import holds, order
from syncing.services.runs.start import start_run
from syncing.tests.house import House

pytestmark = pytest.mark.django_db
ANA = Actor("ana", Trigger.ADMIN)
BOT = Actor("bot", Trigger.API, key_id=7)


@pytest.fixture
def group() -> SyncGroup:
    return AccountFactory.cast()["master"].group


def begin(run: SyncRun) -> SyncRun:
    SyncRun.objects.filter(pk=run.pk).update(state="running", fence=1)
    run.refresh_from_db()
    return run


def end(run: SyncRun, seconds_ago: float = 0.0, state: str = "succeeded") -> SyncRun:
    ended = clock.now() - timedelta(seconds=seconds_ago)
    AccountRun.objects.filter(run=run).update(state="in_sync")
    SyncRun.objects.filter(pk=run.pk).update(state=state, fence=1, finished_at=ended)
    run.refresh_from_db()
    return run


def follow_up(group: SyncGroup, **facts: object) -> SyncRun:
    """A follow-up that waits behind a run that is at work."""
    begin(start_run(group=group, by=WEBHOOK, **facts).run)  # type: ignore[arg-type]
    return start_run(group=group, by=WEBHOOK, **facts).run  # type: ignore[arg-type]


def test_the_first_starts_at_once(group: SyncGroup) -> None:
    run = start_run(group=group, by=WEBHOOK).run

    assert (run.joins_triggers, holds.why_held(run), lanes.has_claimable()) == (False, "", True)


@pytest.mark.parametrize("of_before", [ANA, COMMAND, SCHEDULE, BOT, WEBHOOK])
def test_whatever_comes_while_a_run_works_becomes_one_follow_up(group: SyncGroup, of_before: Actor) -> None:
    begin(start_run(group=group, by=of_before).run)

    started = [start_run(group=group, by=by) for by in (WEBHOOK, BOT, WEBHOOK, Actor("other", Trigger.API, key_id=8))]

    assert len({each.run.pk for each in started}) == 1
    assert started[0].run.joins_triggers
    assert [each.joined for each in started] == [False, True, True, True]
    assert "until 60 s after the end of run" in started[0].run.note


@pytest.mark.parametrize("state", ["succeeded", "partial", "failed", "refused", "cancelled"])
def test_it_may_begin_when_the_quiet_period_after_the_run_before_has_passed(group: SyncGroup, state: str) -> None:
    run = follow_up(group)
    before = SyncRun.objects.exclude(pk=run.pk).get()
    assert f"run {before.pk}" in holds.why_held(run)

    end(before, seconds_ago=59, state=state)
    assert not lanes.has_claimable()
    assert order.look_ahead(run, foreground=False).waits_for == holds.why_held(run) != ""

    end(before, seconds_ago=61, state=state)
    assert holds.why_held(run) == ""
    assert lanes.has_claimable()


@pytest.mark.parametrize(("seconds", "waits"), [(59, True), (61, False)])
def test_what_comes_within_the_quiet_period_after_a_run_follows_it(group: SyncGroup, seconds: int, waits: bool) -> None:
    end(start_run(group=group, by=WEBHOOK).run, seconds_ago=seconds)

    run = start_run(group=group, by=WEBHOOK).run

    assert (run.joins_triggers, bool(holds.why_held(run))) == (waits, waits)


def test_once_it_has_begun_the_next_trigger_makes_the_next_follow_up(group: SyncGroup) -> None:
    first = begin(follow_up(group))

    second = start_run(group=group, by=WEBHOOK).run
    third = start_run(group=group, by=WEBHOOK).run

    assert second.pk == third.pk != first.pk
    assert f"run {first.pk}" in holds.why_held(second)
    assert holds.why_held(first) == ""


def test_without_a_quiet_period_every_trigger_after_the_beginning_starts_at_once(group: SyncGroup) -> None:
    SyncGroup.objects.update(trigger_quiet_seconds=0)
    group.refresh_from_db()

    run = follow_up(group)

    assert (run.joins_triggers, run.note, holds.why_held(run)) == (False, "", "")


def test_a_quiet_period_that_was_switched_off_meanwhile_holds_nothing_any_more(group: SyncGroup) -> None:
    run = follow_up(group)
    SyncGroup.objects.update(trigger_quiet_seconds=0)

    assert holds.why_held(SyncRun.objects.get(pk=run.pk)) == ""


@pytest.mark.parametrize(
    "other", [{"type": "pipelines"}, {"mode": "plan"}, {"forced": True, "force_reason": "I know"}, {"purpose": "drift"}]
)
def test_what_asks_for_something_else_starts_at_once(group: SyncGroup, other: dict[str, object]) -> None:
    begin(start_run(group=group, by=WEBHOOK).run)

    assert not start_run(group=group, by=BOT, **other).run.joins_triggers  # type: ignore[arg-type]


def test_other_accounts_are_another_order(group: SyncGroup) -> None:
    begin(start_run(group=group, by=BOT).run)
    north, south = (group.accounts.get(subdomain=name) for name in ("north", "south"))

    of_north = start_run(group=group, by=BOT, accounts=[north]).run
    begin(of_north)

    assert not of_north.joins_triggers
    assert start_run(group=group, by=BOT, accounts=[north]).run.joins_triggers
    assert not start_run(group=group, by=BOT, accounts=[north, south]).run.joins_triggers


@pytest.mark.parametrize("by", [ANA, COMMAND, SCHEDULE])
def test_only_machines_wait(group: SyncGroup, by: Actor) -> None:
    begin(start_run(group=group, by=WEBHOOK).run)

    assert not start_run(group=group, by=by).run.joins_triggers


@pytest.mark.parametrize("by", [ANA, COMMAND])
def test_a_person_who_asks_for_the_same_takes_it_over_at_once(group: SyncGroup, by: Actor) -> None:
    run = follow_up(group)
    end(SyncRun.objects.exclude(pk=run.pk).get())

    started = start_run(group=group, by=by)

    assert (started.joined, started.run.pk, started.run.joins_triggers, started.run.note) == (True, run.pk, False, "")
    assert lanes.has_claimable()
    assert AuditEntry.objects.get(actor=by.name).details["joined"]


def test_a_schedule_that_joins_it_leaves_the_wait(group: SyncGroup) -> None:
    run = follow_up(group)

    assert start_run(group=group, by=SCHEDULE).joined
    run.refresh_from_db()
    assert run.joins_triggers


def test_an_end_that_a_clock_set_back_since_has_written_is_not_waited_for(group: SyncGroup) -> None:
    run = follow_up(group)
    end(SyncRun.objects.exclude(pk=run.pk).get(), seconds_ago=-3600)

    assert holds.why_held(run) == ""


def test_a_run_that_waits_for_triggers_lets_others_pass_and_waits_for_them_then(house: House) -> None:
    waiting = follow_up(house.group)
    end(SyncRun.objects.exclude(pk=waiting.pk).get())
    other = house.start(type="pipelines")

    ahead = order.look_ahead(other, foreground=False)
    assert (ahead.waits_for, ahead.held) == ("", (waiting.pk,))
    assert claims.claim_master(other) is None  # who does not know of the wait
    assert claims.claim_master(other, held=ahead.held) is not None

    SyncGroup.objects.update(trigger_quiet_seconds=0)
    waiting.refresh_from_db()
    assert f"run {other.pk}" in order.look_ahead(waiting, foreground=False).waits_for
    end(other)
    begin(waiting)
    assert claims.claim_master(house.start(mode="plan"), held=ahead.held) is None  # it has begun: nobody passes


def test_the_lanes_work_the_run_and_then_its_follow_up(house: House) -> None:
    first = start_run(group=house.group, by=WEBHOOK).run
    house.work()
    second = start_run(group=house.group, by=WEBHOOK).run
    house.work()
    second.refresh_from_db()
    assert (second.state, second.fence) == ("queued", 0)

    SyncRun.objects.filter(pk=first.pk).update(finished_at=clock.now() - timedelta(seconds=61))
    house.work()
    second.refresh_from_db()
    assert (second.state, second.note) == ("succeeded", "")


@pytest.mark.django_db(transaction=True)
def test_of_many_triggers_at_once_one_follow_up_comes(group: SyncGroup) -> None:
    begin(start_run(group=group, by=WEBHOOK).run)

    def trigger(_: int) -> int:
        try:
            return start_run(group=group, by=WEBHOOK).run.pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        runs = set(pool.map(trigger, range(16)))

    assert len(runs) == 1
    assert SyncRun.objects.count() == 2


# -- what is written down --


@pytest.mark.parametrize("join", [lambda group: None, lambda group: begin(SyncRun.objects.get())])
def test_a_webhook_that_joins_writes_nothing(group: SyncGroup, join: Callable[[SyncGroup], object]) -> None:
    start_run(group=group, by=WEBHOOK)
    join(group)
    start_run(group=group, by=WEBHOOK)

    with CaptureQueriesContext(connections["default"]) as asked:
        start_run(group=group, by=WEBHOOK)

    assert all(query["sql"].startswith("SELECT") for query in asked)
    assert AuditEntry.objects.count() == SyncRun.objects.count()


def test_a_key_that_joins_again_and_again_is_named_once(client, group: SyncGroup) -> None:
    secrets = [create_key(name=name, scopes=["trigger"])[1] for name in ("one", "two")]
    for secret in secrets * 3:
        headers = {"Authorization": f"Bearer {secret}"}
        answer = client.post("/api/sync/trigger", "{}", content_type="application/json", headers=headers)
        assert answer.status_code == 202

    run = SyncRun.objects.get()
    assert list(AuditEntry.objects.filter(run=run.pk).values_list("actor", flat=True)) == ["two", "one"]
    assert list(LogEntry.objects.filter(run=run).values_list("code", flat=True)) == ["requested", "joined"]
