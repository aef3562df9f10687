"""A fleet in an outage: the run rests, says so, goes on, and after three rests fails what is left."""

import time
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts import clock
from accounts.kommo.client import KommoClient
from accounts.tests.factories import AccountFactory
from syncing.execution import lanes
from syncing.execution.foreground import run_to_the_end
from syncing.models import LogEntry, SyncRun
from syncing.replication.contract import Checkpoint, Record, Result, StoreBefore, Target
from syncing.services.actors import COMMAND
from syncing.services.runs import rests
from syncing.services.runs.start import cancel_run
from syncing.tests.house import House, result


@pytest.fixture
def fleet(house: House, settings: Settings) -> House:
    """Thirty slaves, in a command one after the other; nobody but the master is really asked."""
    settings.SYNC_THREADS = settings.SYNC_WORKERS = 1
    for number in range(26):
        AccountFactory(group=house.group, subdomain=f"branch-{number}")
    return house


class Kommo:
    """Stands in for the work on an account: fails while it is `out`, and for ever for those that are `broken`."""

    def __init__(self, *, reason: str = "server_error", broken: int = 0) -> None:
        self.reason, self.broken, self.out = reason, broken, True
        self.asked: list[str] = []

    def __call__(
        self, target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        self.asked.append(target.subdomain)
        failing = self.out or len(self.asked) <= self.broken
        return result("failed", self.reason, requests=5) if failing else result("in_sync", requests=7)


def rest_is_over(run: SyncRun) -> None:
    SyncRun.objects.filter(pk=run.pk).update(rests_until=clock.now() - timedelta(microseconds=1))


def test_a_run_rests_when_the_first_five_accounts_fail_by_servers_or_network(fleet: House) -> None:
    kommo, run = Kommo(), fleet.start()

    assert not fleet.work(kommo, threads=1)

    run.refresh_from_db()
    assert len(kommo.asked) == 5
    assert (run.state, run.rests) == ("running", 1)
    assert 50 < (run.rests_until - clock.now()).total_seconds() <= 60
    assert "5 of the last 5" in run.note
    assert "The run rests until" in LogEntry.objects.get(run=run, code="rest").message
    assert not lanes.has_claimable()


@pytest.mark.parametrize("reason", ["unreachable", "server_error"])
def test_after_its_rest_a_run_goes_on_and_counts_anew(fleet: House, reason: str) -> None:
    kommo, run = Kommo(reason=reason), fleet.start()
    fleet.work(kommo, threads=1)
    kommo.out = False
    rest_is_over(run)

    fleet.work(kommo, threads=4)

    run.refresh_from_db()
    assert (run.state, run.rests) == ("partial", 1)
    assert run.totals["in_sync"] == 25
    assert run.totals["failed"] == 5


def test_rests_grow_and_after_three_of_them_what_is_left_fails(fleet: House) -> None:
    kommo, run = Kommo(), fleet.start()
    minutes = []
    for _ in range(3):
        fleet.work(kommo, threads=1)
        run.refresh_from_db()
        minutes.append(round((run.rests_until - clock.now()).total_seconds() / 60))
        rest_is_over(run)

    fleet.work(kommo, threads=1)

    run.refresh_from_db()
    assert minutes == [1, 2, 4]
    assert len(kommo.asked) == 20
    assert (run.state, run.reason) == ("failed", "server_error")
    assert {account_run.reason for account_run in run.account_runs.all()} == {"server_error"}
    untouched = run.account_runs.filter(requests=0)
    assert {account_run.error["message"] for account_run in untouched} == {
        "Kommo fails for many accounts (5 of the last 5), after 3 rests: what is left has failed."
    }
    assert len(untouched) == 10


@pytest.mark.parametrize(("bad", "rested"), [(5, 0), (6, 1)])
def test_thirty_percent_of_the_last_twenty_are_an_outage(fleet: House, bad: int, rested: int) -> None:
    """Fourteen went well, then so many fail in a row."""
    run = fleet.start()
    asked: list[str] = []

    def kommo(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        asked.append(target.subdomain)
        failing = 14 < len(asked) <= 14 + bad
        return result("failed", "server_error", requests=5) if failing else result("in_sync", requests=7)

    fleet.work(kommo, threads=1)

    run.refresh_from_db()
    assert run.rests == rested


@pytest.mark.parametrize("reason", ["unauthorised", "unpaid", "ip_not_allowed", "bad_answer"])
def test_what_is_an_accounts_own_fault_is_no_outage(fleet: House, reason: str) -> None:
    run = fleet.start()

    fleet.work(Kommo(reason=reason), threads=4)

    run.refresh_from_db()
    assert (run.state, run.rests) == ("failed", 0)


def test_four_accounts_that_fail_are_no_fleet(house: House) -> None:
    run = house.start()

    house.work(Kommo(), threads=1)

    run.refresh_from_db()
    assert (run.state, run.rests) == ("failed", 0)


def test_several_lanes_decide_once(fleet: House) -> None:
    run = fleet.start()
    fleet.work(Kommo(), threads=1)
    run.refresh_from_db()

    assert not rests.rest_or_give_up(run.pk)
    assert LogEntry.objects.filter(run=run, code="rest").count() == 1


def test_the_page_of_a_resting_run_says_so(fleet: House, admin_client: Client) -> None:
    run = fleet.start()
    fleet.work(Kommo(), threads=1)

    page = admin_client.get(reverse("admin:syncing_syncrun_change", args=[run.pk])).content.decode()

    assert "(rest 1)" in page
    assert "rests until" in page  # the log


def test_a_resting_run_is_cancelled_at_once(fleet: House) -> None:
    run = fleet.start()
    fleet.work(Kommo(), threads=1)

    cancel_run(run, by=COMMAND)

    run.refresh_from_db()
    assert (run.state, run.totals["cancelled"]) == ("cancelled", 25)


def test_a_command_waits_through_the_rest_says_so_and_goes_on(fleet: House) -> None:
    kommo, said = Kommo(), list[str]()
    run = fleet.start(to_workers=False)

    def say(sentence: str) -> None:
        said.append(sentence)
        kommo.out = False
        rest_is_over(run)

    run_to_the_end(run, stop=fleet.stop, say=say, replicate=kommo)

    assert "rests until" in said[0]
    assert "(rest 1 of 3)" in said[0]
    assert (run.state, run.rests) == ("partial", 1)


def test_a_command_that_is_stopped_while_it_rests_cancels_its_run_at_once(fleet: House) -> None:
    run = fleet.start(to_workers=False)
    began = time.monotonic()

    run_to_the_end(run, stop=fleet.stop, say=lambda sentence: fleet.stop.set(), replicate=Kommo())

    assert (run.state, run.rests) == ("cancelled", 1)
    assert time.monotonic() - began < 50
