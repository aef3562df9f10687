"""Requests to Kommo are counted where they are sent and added to the totals of all processes, none lost, none twice."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections

from accounts import request_counts
from accounts.kommo.transport import Exchange
from accounts.models import Account, RequestTotals
from accounts.request_counts import OUTCOMES, RequestCounts, flush, outcome_of
from accounts.services.health.check import check_connection, check_connections
from accounts.services.upkeep import renewal
from accounts.simulator.faults import Fault
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from accounts.tests.services.conftest import Kommo, kommo  # noqa: F401  (a fixture)


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> RequestCounts:
    """Those of this test alone."""
    fresh = RequestCounts()
    monkeypatch.setattr(request_counts, "COUNTS", fresh)
    return fresh


def stored() -> dict[str, int]:
    """The totals that are not 0."""
    totals = RequestTotals.objects.get()
    return {name: getattr(totals, name) for name in OUTCOMES if getattr(totals, name)}


def exchange(status: int | None = 200) -> Exchange:
    return Exchange("GET", "/account", status, 0.5)


@pytest.mark.parametrize(("status", "outcome"), [
    (200, "ok"), (204, "ok"), (302, "ok"), (400, "client_error"), (402, "client_error"), (429, "rate_limited"),
    (500, "server_error"), (504, "server_error"), (None, "no_answer"),
])  # fmt: skip
def test_a_request_counts_as_what_came_of_it(status: int | None, outcome: str) -> None:
    assert outcome_of(status) == outcome


@pytest.mark.django_db
def test_nothing_counted_is_nothing_asked(django_assert_num_queries, counts: RequestCounts) -> None:
    with django_assert_num_queries(0):
        flush()
    counts.note(exchange())
    flush()
    counts.note(exchange())
    with django_assert_num_queries(1):
        flush()
    assert stored() == {"ok": 2}
    assert RequestTotals.objects.get().seconds == 1.0


@pytest.mark.django_db(transaction=True)
def test_what_could_not_be_stored_is_stored_by_the_next_call(counts: RequestCounts) -> None:
    counts.note(exchange())

    def refuse(*args: object) -> None:
        raise OperationalError("database is locked") from sqlite3.OperationalError("database is locked")

    with connection.execute_wrapper(refuse), pytest.raises(OperationalError):
        flush()
    counts.note(exchange(429))
    flush()
    assert stored() == {"ok": 1, "rate_limited": 1}


@pytest.mark.django_db(transaction=True)
def test_threads_and_processes_that_add_at_once_lose_nothing(counts: RequestCounts) -> None:
    """Also the first of all, who find no row."""

    def work(number: int) -> None:
        try:
            for _ in range(20):
                counts.note(exchange())
                flush()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    flush()
    assert stored() == {"ok": 80}


@pytest.mark.django_db
def test_checks_are_counted_with_their_failures(simulator: RunningServer, world: World) -> None:
    accounts = [AccountFactory(subdomain=name, token=world.add_account(name).token) for name in ("north", "south")]
    check_connection(accounts[0])
    assert stored() == {"ok": 2}

    world.faults.add(Fault("500", subdomain="south", times=1))
    check_connections([account.pk for account in accounts])
    assert stored() == {"ok": 6, "server_error": 1}
    assert sum(world.log.statuses.values()) == 7


def test_renewals_of_tokens_are_counted(kommo: Kommo) -> None:  # noqa: F811
    kommo.connect("north", age=timedelta(hours=20))
    renewal.run_round()
    assert kommo.refreshes == 1
    assert stored() == {"ok": 1}
    assert Account.objects.count() == 1
