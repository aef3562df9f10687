"""A master that cannot be read: asked later and later, nothing written, overdue, and back again."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Account, SyncGroup
from accounts.simulator.edits import add
from accounts.simulator.faults import Fault
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.automation import watcher
from syncing.execution.stop_signs import supervisor_sign
from syncing.leases import clocks
from syncing.models import Watch, WatchState
from syncing.selectors.watch import is_overdue, watch_document
from syncing.tests.automation.watched import Watched, watched
from syncing.tests.house import House


@pytest.fixture
def watch(house: House) -> Iterator[Watched]:
    with watched(house, sync_custom_fields=False) as made:
        made.bring()
        made.tick()
        yield made


def shown(watch: Watched) -> str:
    return str(watch_document(watch.house.group, watch.row, timezone.now())["state"])


def fail(watch: Watched, kind: str, **facts: object) -> None:
    watch.house.world.faults.add(Fault(kind, subdomain="master", times=None, **facts))


@pytest.mark.parametrize("kind", ["401", "402"])
def test_a_master_that_cannot_be_read_is_asked_later_and_later_and_nothing_is_started(watch: Watched, kind) -> None:
    fail(watch, kind)
    waits = []
    for _ in range(6):
        watch.next()
        row = watch.row
        waits.append(round((row.next_look - timezone.now()).total_seconds()))

    assert waits == [480, 960, 1920, 3600, 3600, 3600]
    assert (row.state, row.failures, row.looks, watch.runs) == ("unreadable", 6, 1, [])
    assert "master" in row.problem
    assert Account.objects.get(subdomain="master").health not in ("connected", "unknown")


def test_it_is_told_once_in_the_log(watch: Watched, caplog: pytest.LogCaptureFixture) -> None:
    fail(watch, "402")
    with caplog.at_level(logging.WARNING, "syncing.automation.watch_results"):
        watch.next()
        watch.next()

    assert len(caplog.records) == 1


def test_a_master_that_answers_again_is_watched_as_before_and_no_change_is_lost(watch: Watched) -> None:
    fail(watch, "402")
    watch.next()
    add(watch.master, "stage", pipeline_id=next(iter(watch.master.pipelines)), name="Won back")
    watch.next()
    watch.house.world.faults.clear()

    watch.next()
    watch.next()

    row = watch.row
    assert (row.state, row.failures, row.problem) == ("changed", 0, "")
    assert Account.objects.get(subdomain="master").health == "connected"


def test_a_change_that_waits_stays_while_the_master_cannot_be_read(watch: Watched) -> None:
    add(watch.master, "stage", pipeline_id=next(iter(watch.master.pipelines)), name="Won back")
    watch.next_at("pipelines")
    fail(watch, "402")
    watch.next()
    assert (watch.state, watch.runs) == ("unreadable", [])
    watch.house.world.faults.clear()

    watch.next()

    assert len(watch.runs) == 1


def test_a_master_whose_whole_reading_fails_is_looked_at_from_the_same_collection_again(watch: Watched) -> None:
    add(watch.master, "stage", pipeline_id=next(iter(watch.master.pipelines)), name="Won back")
    fail(watch, "402", path="/leads/pipelines/")
    watch.next_at("pipelines")
    assert watch.state == "unreadable"
    watch.house.world.faults.clear()

    watch.next()

    assert watch.state == "changed"


def test_an_ip_that_is_blocked_is_not_asked_in_a_loop(watch: Watched) -> None:
    watch.house.world.faults.add(Fault("403_plain", times=None))
    watch.clock.shift(timedelta(minutes=10))
    watcher.send_due()
    watcher.look(watch.house.group.pk, supervisor_sign())

    assert watch.state == "unreadable"
    assert (watch.row.next_look - timezone.now()).total_seconds() > 400
    assert Account.objects.get(subdomain="master").health == "ip_blocked"


def test_another_account_that_answers_is_unreadable(watch: Watched) -> None:
    Account.objects.filter(subdomain="master").update(kommo_id=4711)

    watch.next()

    assert watch.state == "unreadable"
    assert "4711" in watch.row.problem


def test_two_groups_with_one_master_account_are_told_apart(watch: Watched) -> None:
    """The same Kommo account under another name, which the first look at it shows, is not watched twice."""
    Account.objects.filter(subdomain="master").update(kommo_id=None)
    twin = {"kommo_id": watch.master.account_id, "role": "master", "subdomain": "twin"}
    AccountFactory(group=GroupFactory(name="Others", watch="off"), **twin)

    watch.next()

    assert watch.state == "unreadable"
    assert "already here" in watch.row.problem


@pytest.mark.parametrize(
    ("problem", "word"),
    [
        ("no master", "master"),
        ("nothing covered", "watch"),
        ("wrong policy", "max_deletes"),
        ("no token", "token"),
    ],
)
def test_what_keeps_a_look_from_being_taken_is_said(watch: Watched, problem: str, word: str) -> None:
    group = SyncGroup.objects.filter(pk=watch.house.group.pk)
    if problem == "no master":
        Account.objects.filter(subdomain="master").update(role="slave")
    elif problem == "nothing covered":
        group.update(sync_pipelines=False)
    elif problem == "wrong policy":
        group.update(wave_unit="sheep")
        word = "wave_unit"
    else:
        Account.objects.filter(subdomain="master").update(token="")

    assert watch.next() == 0

    assert watch.state == "unreadable"
    assert word in watch.row.problem


def test_an_error_of_our_own_is_a_failure_with_its_place_and_no_loop(watch: Watched, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(watcher, "take_look", broken)
    watch.next()

    assert watch.state == "unreadable"
    assert "RuntimeError" in watch.row.problem
    assert "secret" not in watch.row.problem


def test_a_look_that_takes_too_long_is_a_failure(watch: Watched, monkeypatch) -> None:
    monkeypatch.setattr("syncing.conf.LONGEST_LOOK", -1.0)
    watch.next()

    assert (watch.state, "too slowly" in watch.row.problem) == ("unreadable", True)


# -- overdue --


def test_it_is_overdue_when_no_look_went_well_until_two_looks_after_the_next(watch: Watched) -> None:
    due = (watch.row.next_look - timezone.now()).total_seconds()
    watch.clock.shift(timedelta(seconds=due + 479))
    assert (is_overdue(watch.row, timezone.now()), shown(watch)) == (False, "idle")

    watch.clock.shift(timedelta(seconds=2))
    assert (is_overdue(watch.row, timezone.now()), shown(watch)) == (True, "overdue")

    watch.tick()  # a worker lives again
    assert (is_overdue(watch.row, timezone.now()), shown(watch)) == (False, "idle")


def test_of_a_master_that_cannot_be_read_that_is_told_first_and_it_is_overdue_too(watch: Watched) -> None:
    fail(watch, "402")
    for _ in range(3):
        watch.next()

    document = watch_document(watch.house.group, watch.row, timezone.now())
    assert (document["state"], document["overdue"]) == ("unreadable", True)


def test_the_quiet_period_of_a_change_is_no_silence(watch: Watched) -> None:
    watch.policy(quiet_seconds=3600)
    add(watch.master, "stage", pipeline_id=next(iter(watch.master.pipelines)), name="Won back")
    watch.next_at("pipelines")

    moment = timezone.now()
    assert not is_overdue(watch.row, moment + timedelta(seconds=3600 + 479))
    assert is_overdue(watch.row, moment + timedelta(seconds=3600 + 481))


def test_one_that_was_just_switched_on_is_overdue_when_nobody_looks(db: None) -> None:
    group = AccountFactory.cast(GroupFactory(watch="report"))["master"].group
    watcher.send_due()
    row = Watch.objects.select_related("group").get()

    assert not is_overdue(row, timezone.now() + timedelta(seconds=479))
    assert is_overdue(row, timezone.now() + timedelta(seconds=481))
    assert watch_document(group, None, timezone.now())["overdue"] is False


@pytest.mark.parametrize(
    ("mode", "row", "state"),
    [
        ("off", None, "off"),
        ("off", WatchState.IDLE, "off"),
        ("apply", None, "idle"),
        ("apply", WatchState.OFF, "idle"),
        ("apply", WatchState.PLAN_WAITS, "plan_waits"),
    ],
)
def test_the_state_is_that_of_the_policy_before_a_worker_has_noticed_it(db: None, mode, row, state) -> None:
    group = GroupFactory(watch=mode)
    watch = row and Watch.objects.create(group=group, state=row, next_look=timezone.now())

    document = watch_document(group, watch, timezone.now())

    assert (document["mode"], document["state"], document["overdue"]) == (mode, state, False)
    assert document["next_look"] is None or mode != "off"


# -- a clock that was set back --


def test_times_that_a_clock_left_ahead_are_brought_back(db: None) -> None:
    moment = timezone.now()
    late = moment + timedelta(days=10)
    times = {"next_look": late, "due_at": late, "pending_since": late, "pending_read_at": late}
    Watch.objects.create(group=GroupFactory(watch="apply"), state=WatchState.CHANGED, **times)

    clocks.pull_in()

    row = Watch.objects.get()
    assert max(row.next_look, row.pending_since, row.pending_read_at) <= timezone.now()
    assert row.due_at < moment + timedelta(hours=2)


def test_times_that_can_have_been_written_stay(db: None) -> None:
    moment = timezone.now()
    group = GroupFactory(watch="apply", quiet_seconds=86_400)
    times = {"next_look": moment + timedelta(hours=24), "due_at": moment + timedelta(hours=24.1)}
    stored = Watch.objects.create(group=group, state=WatchState.CHANGED, pending_since=moment, **times)

    clocks.pull_in()

    row = Watch.objects.get()
    assert (row.next_look, row.due_at, row.pending_since) == (stored.next_look, stored.due_at, moment)
