"""Conformity day by day: when it is counted, what is stored, how long, and how it is drawn."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory
from syncing.automation import conformity, tick
from syncing.models import ConformityDay, RunState
from syncing.records.retention import prune_conformity_days
from syncing.selectors.conformity_history import ConformityHistory, conformity_history
from syncing.tests.factories import DriftFactory, RunFactory

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)
TODAY = date(2026, 5, 5)


@pytest.fixture
def cast() -> dict[str, Account]:
    accounts = AccountFactory.cast()
    SyncGroup.objects.update(time_zone="UTC")
    return accounts


def stored() -> list[tuple[date, int, int, int]]:
    return list(ConformityDay.objects.values_list("day", "equal", "known", "total"))


def test_a_day_is_counted_at_once_and_again_after_an_hour(cast) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        assert conformity.count_due() == 1
        assert stored() == [(TODAY, 0, 0, 4)]
        DriftFactory(account=cast["north"])
        assert conformity.count_due() == 0
        clock.shift(timedelta(hours=1))
        assert conformity.count_due() == 1
    assert stored() == [(TODAY, 0, 1, 4)]


def test_the_end_of_a_run_is_counted_at_once(cast) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        conformity.count_due()
        clock.shift(timedelta(minutes=1))
        run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
        assert conformity.count_due() == 0
        type(run).objects.update(state=RunState.SUCCEEDED, finished_at=NOON + timedelta(minutes=1))
        assert (conformity.count_due(), conformity.count_due()) == (1, 0)


def test_a_new_day_begins_at_midnight_of_the_group_and_the_day_before_stays(cast) -> None:
    SyncGroup.objects.update(time_zone="America/Sao_Paulo")  # 3 hours behind
    with time_machine.travel(datetime(2026, 5, 6, 2, 50, tzinfo=UTC), tick=False) as clock:
        conformity.count_due()
        DriftFactory(account=cast["north"])
        clock.shift(timedelta(minutes=20))
        assert conformity.count_due() == 1
    assert stored() == [(TODAY, 0, 0, 4), (date(2026, 5, 6), 0, 1, 4)]


def test_a_worker_counts_it_and_the_reaper_forgets_it(cast) -> None:
    with time_machine.travel(NOON, tick=False):
        assert tick.tick()["conformity"] == 1
    with time_machine.travel(NOON + timedelta(days=400), tick=False):
        assert prune_conformity_days() == 0
    with time_machine.travel(NOON + timedelta(days=401), tick=False):
        assert prune_conformity_days() == 1


def test_the_groups_are_added_up_for_the_last_30_days(cast) -> None:
    group, second = cast["north"].group, SyncGroup.objects.create(name="Other")
    for each, day, equal in [(group, 1, 3), (second, 1, 2), (group, 29, 1), (group, 30, 4)]:
        facts = {"equal": equal, "known": 4, "total": 5, "counted_at": NOON}
        ConformityDay.objects.create(group=each, day=TODAY - timedelta(days=day), **facts)
    first, last = conformity_history(TODAY, []).bars
    assert (first.day, first.x, first.equal, first.differ, first.unknown) == (TODAY - timedelta(days=29), 0, 1, 3, 1)
    assert (last.equal, last.differ, last.unknown, last.percent) == (5, 3, 2, 50)
    assert conformity_history(TODAY, [], second.pk).last.equal == 2


def test_a_bar_is_as_high_as_its_share(cast) -> None:
    (bar,) = ConformityHistory.of([(TODAY, 2, 3, 4)], TODAY).bars
    assert (bar.x, bar.equal_top, bar.equal_height) == (29 * 24, 50, 50)
    assert (bar.differ_top, bar.differ_height, bar.unknown_height) == (25, 25, 25)
    assert ConformityHistory.of([(TODAY, 0, 0, 0)], TODAY).bars == []


def test_the_overview_draws_the_days_and_has_them_as_a_table(cast, admin_client) -> None:
    assert "In sync, day by day" not in admin_client.get("/").content.decode()  # nothing was synced yet
    RunFactory(group=cast["north"].group)
    html = admin_client.get("/").content.decode()
    assert "0 of 4 accounts equal their master (0 %)." in html
    assert html.count("<title>") - 1 == 1  # of the page, and of the one bar
    conformity.count_due()
    assert html.count("<title>") == admin_client.get("/").content.decode().count("<title>")
