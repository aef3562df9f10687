"""The end of a run: once, and truthful."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.utils import timezone

from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AccountRun, LogEntry, RunMode, SyncRun
from syncing.services.runs.close import close_run, verdict
from syncing.tests.factories import AccountRunFactory, RunFactory


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["in_sync", "changed"], "succeeded"),
        (["in_sync", "partial"], "partial"),
        (["changed", "failed"], "partial"),
        (["changed", "skipped"], "partial"),
        (["partial", "partial"], "partial"),
        (["failed", "failed"], "failed"),
        (["failed", "refused"], "failed"),
        (["failed", "skipped"], "failed"),  # a pilot, and those behind it
        (["refused", "skipped"], "failed"),
        (["changed", "failed", "skipped"], "partial"),
        (["skipped"], "failed"),
        (["refused", "refused"], "refused"),
        (["changed", "cancelled"], "cancelled"),
        (["failed", "cancelled"], "cancelled"),
    ],
)
def test_bug_7_a_run_succeeded_only_if_every_account_did(states: list[str], expected: str) -> None:
    assert verdict(SyncRun(), dict.fromkeys(states, 1)) == expected


@pytest.mark.parametrize(
    ("states", "expected"),
    [(["planned", "in_sync"], "planned"), (["planned", "partial"], "partial"), (["planned", "failed"], "partial")],
)
def test_a_plan_is_planned_only_if_every_account_is(states: list[str], expected: str) -> None:
    assert verdict(SyncRun(mode=RunMode.PLAN), dict.fromkeys(states, 1)) == expected


@pytest.mark.parametrize(("reason", "expected"), [("guard", "refused"), ("unreachable", "failed")])
def test_without_its_master_a_run_is_refused_or_failed(reason: str, expected: str) -> None:
    assert verdict(SyncRun(reason=reason), {"skipped": 4}) == expected


@pytest.mark.django_db
def test_a_run_is_open_until_its_last_account_has_ended() -> None:
    run = RunFactory(state="running")
    AccountRunFactory(run=run, account=AccountFactory(group=run.group), state="changed")
    last = AccountRunFactory(run=run, account=AccountFactory(group=run.group), state="running")

    assert not close_run(run.pk)
    AccountRun.objects.filter(pk=last.pk).update(state="changed", created=3, requests=14)
    assert close_run(run.pk)

    run.refresh_from_db()
    assert run.state == "succeeded"
    assert run.finished_at
    assert (run.totals["changed"], run.totals["created"], run.totals["requests"]) == (2, 3, 14)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_come_last_one_closes_the_run_and_tells_about_it() -> None:
    run = RunFactory(state="running", group=GroupFactory())
    AccountRunFactory(run=run, account=AccountFactory(group=run.group), state="in_sync")

    def close(_: int) -> bool:
        try:
            return close_run(run.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(close, range(12))) == 1
    assert LogEntry.objects.filter(run=run, code="run_ended").count() == 1


@pytest.mark.django_db
def test_a_failed_run_gives_the_reason_of_the_account_that_tells_most() -> None:
    run = RunFactory(state="running")
    blocked = {"code": "ip_blocked", "message": "Blocked.", "remedy": "Wait."}
    facts = [("skipped", "paused", None), ("failed", "unpaid", None), ("failed", "ip_blocked", blocked)]
    for state, reason, error in facts:
        AccountRunFactory(run=run, account=AccountFactory(group=run.group), state=state, reason=reason, error=error)

    close_run(run.pk)

    run.refresh_from_db()
    assert (run.state, run.reason, run.error) == ("failed", "ip_blocked", blocked)


STOPPED = {"code": "guard", "message": "1 of 2 accounts of wave 1 of 2 failed.", "remedy": "Repair it."}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["failed", "skipped"], "failed"),
        (["changed", "failed", "skipped"], "partial"),
        (["in_sync", "partial", "skipped"], "partial"),
        (["refused", "skipped"], "failed"),
        (["changed", "skipped"], "partial"),
    ],
)
def test_a_run_stopped_between_two_waves_never_succeeded_and_says_why(states: list[str], expected: str) -> None:
    run = RunFactory(state="running", error=STOPPED)
    for state in states:
        AccountRunFactory(run=run, account=AccountFactory(group=run.group), state=state, reason="unpaid")

    close_run(run.pk)

    run.refresh_from_db()
    assert (run.state, run.reason, run.error) == (expected, "guard", STOPPED)


@pytest.mark.django_db
def test_what_has_ended_waits_for_nothing() -> None:
    run = RunFactory(state="running", wave_held=True, wave_due_at=timezone.now())
    AccountRunFactory(run=run, account=AccountFactory(group=run.group), state="cancelled")

    close_run(run.pk)

    run.refresh_from_db()
    assert (run.wave_held, run.wave_due_at) == (False, None)
