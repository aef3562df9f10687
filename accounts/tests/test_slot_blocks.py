"""Blocks of slots: exact over processes, stopped by holds, lost or given back when unused; on a clock by hand."""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts import clock, slot_reservation
from accounts.kommo.pacing import Key, Turn, step_of
from accounts.models import RequestSlot
from accounts.slot_blocks import FRESH, Blocks, keys_to_pace
from accounts.tests.laws import law

pytestmark = pytest.mark.django_db
EXACT = 1e-5  # seconds: times of today as floats


class Time:
    """One clock for the database and for all processes."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Process:
    """A process that asks for slots: its blocks, and its way to the database without a thread."""

    def __init__(self, time: Time, boot: float = 0.0) -> None:
        self.blocks = Blocks([lambda: time.now - boot, time])
        self.handler = slot_reservation.BatchHandler(self.blocks)
        self.asked = 0  # the database

    def take(self, *keys: Key, earliest: float = 0.0, patience: float = 60.0) -> Turn:
        turn = self.blocks.take(keys, earliest, patience)
        if turn is not None:
            return turn
        self.asked += 1
        (due,) = self.handler.serve([slot_reservation.TakeSlot(keys, earliest, patience)])
        assert isinstance(due, slot_reservation.Due)
        return Turn(due.at - self.blocks.now(), due.granted)

    def hold(self, key: str, seconds: float) -> None:
        self.handler.serve([slot_reservation.HoldKey(key, seconds)])

    def is_held(self, *names: str) -> bool:
        is_held = self.blocks.is_held(names, 0.0)
        if is_held is None:
            self.handler.serve([slot_reservation.ReadHolds()])
            is_held = self.blocks.is_held(names, 0.0)
        assert is_held is not None
        return is_held


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    time = Time()
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: datetime.fromtimestamp(time.now, UTC))
        yield time


def most_in_a_second(times: Sequence[float]) -> int:
    ordered = sorted(times)
    return max((sum(first <= at < first + 1.0 for at in ordered) for first in ordered), default=0)


@pytest.mark.law
@law(8)
@given(
    rate=st.integers(1, 20),
    account_rate=st.integers(1, 20),
    processes=st.integers(1, 4),
    late=st.lists(st.floats(0, 0.019), min_size=1, max_size=5),
    answers=st.lists(st.floats(0, 1.5), min_size=1, max_size=7),
    killed_at=st.sets(st.integers(0, 300), max_size=5),
)
def test_no_second_carries_more_than_the_rate_whatever_the_processes_do(
    time: Time,
    rate: int,
    account_rate: int,
    processes: int,
    late: list[float],
    answers: list[float],
    killed_at: set[int],
) -> None:
    """Accounts of several processes on one timeline; some processes die with what they have reserved."""
    RequestSlot.objects.all().delete()
    crew = [Process(time, boot=1000.0 * number) for number in range(processes)]
    asks = [(time.now, account) for account in range(2 * processes)]
    sent: dict[str, list[float]] = defaultdict(list)
    for number in range(300):
        time.now, account = heapq.heappop(asks)
        who = account % processes
        if number in killed_at:
            crew[who] = Process(time)
        turn = crew[who].take((f"a{account}", step_of(account_rate)), ("ip", step_of(rate)))
        at = time.now + max(0.0, turn.wait)
        if turn.granted:
            at += late[number % len(late)]
            sent["ip"].append(at)
            sent[f"a{account}"].append(at)
            at += answers[number % len(answers)]
        heapq.heappush(asks, (at, account))
    assert most_in_a_second(sent.pop("ip")) <= rate
    assert all(most_in_a_second(times) <= account_rate for times in sent.values())


def test_slots_of_two_processes_are_a_step_apart(time: Time) -> None:
    north, south = Process(time), Process(time)
    due: list[float] = []
    for number in range(60):
        process = (north, north, south)[number % 3]
        due.append(time.now + process.take(("a", 0.01), ("ip", 0.1)).wait)
        time.now += 0.07
    ordered = sorted(due)
    assert min(after - before for before, after in pairwise(ordered)) >= 0.1 - EXACT


def test_most_requests_ask_nothing_of_the_database(time: Time) -> None:
    process = Process(time)
    for _ in range(70):
        turn = process.take(("a", 0.15), ("ip", 0.15))
        assert turn.granted
        time.now += max(0.0, turn.wait) + 0.05
    assert process.asked <= 70 / 5


def test_an_account_with_a_pace_of_its_own_is_served_from_blocks_too(time: Time) -> None:
    process = Process(time)
    due: list[float] = []
    for _ in range(50):
        turn = process.take(("a", 0.15), earliest=0.15 if due else 0.0)
        due.append(time.now + turn.wait)
        time.now = due[-1] + 0.04
    assert process.asked <= 50 / 4
    assert min(after - before for before, after in pairwise(due)) >= 0.15 - EXACT


def test_whoever_asks_for_the_first_time_reserves_nothing_ahead(time: Time) -> None:
    Process(time).take(("ip", 0.15))
    assert RequestSlot.objects.get(pk="ip").next_at == pytest.approx(time.now + 0.15, abs=EXACT)


def test_what_a_killed_process_had_reserved_is_over_within_a_second(time: Time) -> None:
    process = Process(time)
    for _ in range(20):
        time.now += max(0.0, process.take(("ip", 0.1)).wait)
    turn = Process(time).take(("ip", 0.1))
    assert turn.granted
    assert turn.wait <= 1.0 + 0.1 + EXACT


def test_what_is_unused_is_given_back_when_nobody_stands_behind_it(time: Time) -> None:
    process = Process(time)
    last = max(time.now + process.take(("ip", 0.1)).wait for _ in range(13))
    assert RequestSlot.objects.get(pk="ip").next_at > last + 0.15, "something was reserved ahead"
    time.now += FRESH + 0.05  # too old to be served from
    assert time.now + process.take(("ip", 0.1)).wait == pytest.approx(last + 0.1, abs=EXACT)


def test_what_is_unused_is_lost_when_others_stand_behind_it(time: Time) -> None:
    north, south = Process(time), Process(time)
    for _ in range(4):
        north.take(("ip", 0.1))
    behind = time.now + south.take(("ip", 0.1)).wait
    time.now += FRESH + 0.05
    after = [time.now + north.take(("ip", 0.1)).wait for _ in range(5)]
    assert all(abs(at - behind) >= 0.1 - EXACT for at in after)


def test_a_hold_stops_what_was_reserved_before_it(time: Time) -> None:
    process = Process(time)
    for _ in range(8):
        turn = process.take(("a", 0.1), ("ip", 0.1))
    assert turn.granted
    process.hold("ip", 2)
    time.now += turn.wait
    assert process.is_held("a", "ip"), "the turn that was granted is not used"
    assert time.now + process.take(("a", 0.1), ("ip", 0.1)).wait >= time.now - turn.wait + 2 - EXACT


def test_a_hold_of_another_process_is_seen_within_a_second(time: Time) -> None:
    north, south = Process(time), Process(time)
    for _ in range(8):
        north.take(("a", 0.1), ("ip", 0.1))
    south.hold("a", 30)
    time.now += FRESH + 0.01
    assert north.is_held("a", "ip")
    assert not north.is_held("b", "ip")
    wait, granted = north.take(("a", 0.1), ("ip", 0.1), patience=10)
    assert not granted
    assert wait == pytest.approx(30 - FRESH, abs=0.1)
    assert north.take(("b", 0.1), ("ip", 0.1)).granted


def test_a_hold_that_is_over_stops_nobody(time: Time) -> None:
    process = Process(time)
    process.hold("ip", 2)
    turn = process.take(("a", 0.1), ("ip", 0.1))
    time.now += turn.wait
    assert not process.is_held("a", "ip")


def test_a_machine_that_slept_sends_nothing_of_what_it_had_reserved(time: Time) -> None:
    asleep = [0.0]
    process = Process(time)
    process.blocks = Blocks([lambda: time.now - asleep[0], time])
    process.handler = slot_reservation.BatchHandler(process.blocks)
    for _ in range(3):
        process.take(("ip", 0.1))
    assert process.blocks.take([("ip", 0.1)], 0.0, 60.0) is not None
    time.now += 100
    asleep[0] = 100.0
    assert process.blocks.take([("ip", 0.1)], 0.0, 60.0) is None
    process.handler.serve([slot_reservation.ReadHolds()])
    assert process.blocks.take([("ip", 0.1)], 0.0, 60.0) is None


def test_a_row_that_was_set_back_gives_nothing_of_a_block_twice(time: Time) -> None:
    process = Process(time)
    first = time.now + process.take(("ip", 0.5)).wait
    RequestSlot.objects.update(next_at=F("next_at") + 5000)
    second = time.now + process.take(("ip", 0.5)).wait
    assert second - first < 5000


@pytest.mark.parametrize(
    ("keys", "paced"),
    [
        ([("a", 0.2)], ["a"]),
        ([("a", 0.2), ("ip", 0.2)], ["ip"]),
        ([("a", 0.2), ("ip", 0.02)], ["a", "ip"]),
        ([("a", 0.0), ("ip", 0.02)], ["ip"]),
    ],
)
def test_a_shared_pace_that_is_no_faster_keeps_the_accounts_own(keys: list[Key], paced: list[str]) -> None:
    assert [key for key, _ in keys_to_pace(keys)] == paced


def test_a_turn_out_of_a_block_makes_no_query(time: Time, django_assert_num_queries: CaptureQueriesContext) -> None:
    process = Process(time)
    for _ in range(3):
        process.take(("a", 0.1), ("ip", 0.1))
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert process.take(("a", 0.1), ("ip", 0.1)).granted


def test_a_turn_that_is_refused_takes_nothing_of_a_block(time: Time) -> None:
    """An account that Kommo holds for longer than it may wait leaves the common slots to the others."""
    north, south = Process(time), Process(time)
    last = max(time.now + north.take(("b", 0.05), ("ip", 0.1)).wait for _ in range(8))
    south.hold("a", 30)
    time.now += FRESH + 0.01
    north.is_held("b", "ip")  # reads the holds; the block has room
    assert not north.take(("a", 0.05), ("ip", 0.1), patience=10).granted
    following = time.now + north.take(("b", 0.05), ("ip", 0.1)).wait
    assert following <= max(last + 0.1, time.now) + EXACT
