"""The pace: no sliding second ever carries more than the rate."""

import heapq
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.kommo.errors import RateLimited
from accounts.kommo.pacing import LONGEST_HOLD, SLOT_TOLERANCE, LocalSlots, Pacer, Turn, extend_hold, next_turn, step_of
from accounts.kommo.stopping import Stop, Stopped
from accounts.tests.kommo.world import Clock, make_pacer


def peak_per_second(times: list[float]) -> int:
    ordered = sorted(times)
    return max(sum(first <= at < first + 1.0 for at in ordered) for first in ordered)


class LateClock(Clock):
    """Sleepers wake up late by the next of `delays`, over and over."""

    def __init__(self, delays: list[float]) -> None:
        super().__init__()
        self.delays = delays

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + self.delays[len(self.sleeps) % len(self.delays)])


@given(
    rate=st.one_of(st.integers(1, 20).map(float), st.floats(0.2, 20)),
    delays=st.lists(st.floats(0, 0.4), min_size=1, max_size=5),
    work=st.lists(st.floats(0, 0.5), min_size=1, max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_no_second_of_one_account_carries_more_than_its_rate(
    rate: float, delays: list[float], work: list[float]
) -> None:
    clock = LateClock(delays)
    pacer = make_pacer(clock, rate=rate)
    sent = []
    for number in range(50):
        pacer.wait()
        sent.append(clock.now)
        clock.now += work[number % len(work)]
    assert peak_per_second(sent) <= max(1, rate)


@given(
    rate=st.integers(1, 20),
    account_rate=st.integers(1, 20),
    late=st.lists(st.floats(0, 2 * SLOT_TOLERANCE), min_size=1, max_size=7),
    work=st.lists(st.floats(0, 0.5), min_size=1, max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_no_second_of_the_ip_carries_more_than_its_rate_whoever_sends(
    rate: int, account_rate: int, late: list[float], work: list[float]
) -> None:
    """Six accounts on one timeline: each asks, wakes a little late, queues again when it woke too late."""
    clock = Clock()
    slots = LocalSlots(clock)
    asks = [(clock.now, account) for account in range(6)]
    sent: list[tuple[int, float]] = []
    for number in range(400):
        clock.now, account = heapq.heappop(asks)
        turn = slots.take([(f"a{account}", step_of(account_rate)), ("ip", step_of(rate))])
        lateness = late[number % len(late)]
        woke = clock.now + turn.wait + lateness
        if turn.granted and lateness <= SLOT_TOLERANCE:
            sent.append((account, woke))
            woke += work[number % len(work)]
        heapq.heappush(asks, (woke, account))
    times = [at for _, at in sent]
    if times:
        assert peak_per_second(times) <= rate


def test_a_lone_account_uses_the_rate_that_it_has() -> None:
    clock = Clock()
    pacer = make_pacer(clock, rate=6, rate_per_ip=6)
    for _ in range(61):
        pacer.wait()
    assert sum(clock.sleeps) == pytest.approx(60 * step_of(6))


def test_a_faster_ip_is_not_slowed_down_by_slow_accounts() -> None:
    """Three accounts of 7 per second each under an IP of 50: 21 per second, not fewer."""
    clock = Clock()
    slots = LocalSlots(clock)
    asks = [(clock.now, account) for account in range(3)]
    sent = 0
    while clock.now < 1010:
        clock.now, account = heapq.heappop(asks)
        turn = slots.take([(f"a{account}", step_of(7)), ("ip", step_of(50))])
        sent += turn.granted
        heapq.heappush(asks, (clock.now + turn.wait, account))
    assert sent == pytest.approx(3 * 10 / step_of(7), rel=0.1)


def test_a_broken_rate_is_rounded_down() -> None:
    assert step_of(6.5) == step_of(6)
    assert step_of(0.5) > 2


def test_a_slot_that_was_missed_on_the_common_key_is_given_up() -> None:
    clock = LateClock([0.0, 0.1, 0.0])
    pacer = make_pacer(clock, rate=5, rate_per_ip=5)
    for _ in range(3):
        pacer.wait()
    assert len(clock.sleeps) == 3, "two waits of which one came late and was done again"


def test_the_next_request_is_spaced_from_the_one_really_sent() -> None:
    clock = LateClock([0.0, 0.5])
    pacer = make_pacer(clock, rate=5)
    sent = []
    for _ in range(3):
        pacer.wait()
        sent.append(clock.now)
    assert sent[2] - sent[1] >= step_of(5)


def test_the_first_answer_tells_how_late_a_new_connection_was() -> None:
    clock = Clock()
    pacer = make_pacer(clock, rate=5)
    pacer.wait()
    clock.now += 0.15
    pacer.note_answer()
    pacer.wait()
    assert clock.sleeps == [pytest.approx(step_of(5))]


def test_a_hold_stops_the_account_for_all_of_it_and_the_ip_for_two_seconds() -> None:
    clock = Clock()
    slots = LocalSlots(clock)
    north = Pacer(slots, "north", 5, rate_per_ip=5, clock=clock, sleep=clock.sleep)
    south = Pacer(slots, "south", 5, rate_per_ip=5, clock=clock, sleep=clock.sleep)
    north.hold(30)
    south.wait()
    assert clock.now == 1002
    north.wait()
    assert clock.now == 1030


def test_a_held_account_does_not_push_the_common_key_ahead() -> None:
    clock = Clock()
    slots = LocalSlots(clock)
    slots.hold("north", 30)
    assert slots.take([("north", 0.2), ("ip", 0.2)]) == Turn(30, False)
    assert slots.take([("south", 0.2), ("ip", 0.2)]) == Turn(0, True)


def test_a_hold_longer_than_we_wait_is_refused_without_sleeping_and_names_its_end() -> None:
    clock = Clock()
    pacer = make_pacer(clock, rate=5, rate_per_ip=5)
    pacer.hold(300)
    with pytest.raises(RateLimited, match="held for 300 s") as caught:
        pacer.wait()
    assert clock.sleeps == []
    assert caught.value.retry_after == pytest.approx(300)
    assert caught.value.until == pytest.approx(time.time() + 300, abs=5)


def test_a_hold_counts_without_any_rate_too() -> None:
    clock = Clock()
    pacer = make_pacer(clock)
    pacer.hold(5)
    pacer.wait()
    assert clock.now == 1005


def test_a_clock_that_was_set_back_holds_nobody_for_longer_than_a_hold() -> None:
    turn, _ = next_turn(1000.0, {"north": 1e9}, [("north", 1.0)], 0.0, LONGEST_HOLD)
    assert turn == Turn(LONGEST_HOLD, True)
    assert extend_hold(1000.0, 1e9, 5) == 1000.0 + LONGEST_HOLD


def test_waiting_ends_at_once_when_everything_is_stopped() -> None:
    stop = Stop()
    pacer = Pacer(LocalSlots(), "north", 0.1, stop=stop)
    pacer.wait()
    threading.Timer(0.05, stop.set, ["cancelled"]).start()
    started = time.monotonic()
    with pytest.raises(Stopped, match="cancelled"):
        pacer.wait()
    assert time.monotonic() - started < 8  # its turn would come after ten


def test_nothing_goes_once_stopped_even_when_its_turn_is_now() -> None:
    stop = Stop()
    stop.set("ip_blocked")
    with pytest.raises(Stopped) as caught:
        make_pacer(Clock(), stop=stop).wait()
    assert caught.value.code == "ip_blocked"
