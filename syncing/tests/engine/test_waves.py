"""Waves: pilots first, everybody once, and the share of failures that lets the next ones start."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncing.engine.waves import WaveResult, assign_waves, wave_result

PILOTS = st.lists(st.booleans(), max_size=150)
SIZES = st.integers(0, 300)


@given(PILOTS, SIZES, st.booleans())
def test_every_account_is_in_exactly_one_wave_and_no_wave_is_empty(pilots: list[bool], size: int, share: bool) -> None:
    waves = assign_waves(pilots, size=size, percent=share)

    assert len(waves) == len(pilots)
    assert sorted(set(waves)) == list(range(len(set(waves))))


@given(PILOTS, SIZES, st.booleans())
def test_pilots_come_before_all_others_and_the_others_keep_their_order(
    pilots: list[bool], size: int, share: bool
) -> None:
    waves = assign_waves(pilots, size=size, percent=share)
    others = [wave for wave, is_pilot in zip(waves, pilots, strict=True) if not is_pilot]

    assert others == sorted(others)
    if any(pilots) and others:
        assert {wave for wave, is_pilot in zip(waves, pilots, strict=True) if is_pilot} == {0}
        assert min(others) == 1


@given(PILOTS, st.integers(1, 300), st.booleans())
def test_no_wave_behind_the_pilots_is_larger_than_asked(pilots: list[bool], size: int, share: bool) -> None:
    largest = -(-size * len(pilots) // 100) if share else size
    mixed = any(pilots) and not all(pilots)

    sizes = Counter(assign_waves(pilots, size=size, percent=share))

    assert all(count <= largest for wave, count in sizes.items() if wave or not mixed)
    assert len({count for wave, count in sizes.items() if wave not in (0, max(sizes))}) <= 1


@given(PILOTS, SIZES, st.booleans())
def test_the_same_accounts_are_always_split_alike(pilots: list[bool], size: int, share: bool) -> None:
    assert assign_waves(pilots, size=size, percent=share) == assign_waves(tuple(pilots), size=size, percent=share)


@pytest.mark.parametrize(
    ("pilots", "facts", "expected"),
    [
        ([], {"size": 5}, []),
        ([False], {"size": 1}, [0]),
        ([True], {"size": 0}, [0]),
        ([False] * 4, {"size": 0}, [0, 0, 0, 0]),
        ([True] * 3, {"size": 0}, [0, 0, 0]),
        ([True] * 3, {"size": 2}, [0, 0, 1]),  # nobody to go before
        ([False, True, False], {"size": 0}, [1, 0, 1]),
        ([False, True, False, False], {"size": 2}, [1, 0, 1, 2]),
        ([False] * 4, {"size": 50, "percent": True}, [0, 0, 1, 1]),
        ([False] * 3, {"size": 34, "percent": True}, [0, 0, 1]),  # 1.02 accounts: rounded up
        ([False] * 3, {"size": 1, "percent": True}, [0, 1, 2]),
        ([True, False, False, False], {"size": 25, "percent": True}, [0, 1, 2, 3]),  # of all, pilots among them
        ([False] * 3, {"size": 100, "percent": True}, [0, 0, 0]),
    ],
)
def test_waves_by_size_and_by_share(pilots: list[bool], facts: dict[str, int], expected: list[int]) -> None:
    assert assign_waves(pilots, **facts) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ({("changed", ""): 2, ("in_sync", ""): 3}, WaveResult(5, 0)),
        ({("changed", ""): 1, ("failed", "unpaid"): 1, ("refused", "guard"): 1, ("partial", ""): 1}, WaveResult(4, 3)),
        ({("changed", ""): 1, ("skipped", "paused"): 5, ("skipped", ""): 1}, WaveResult(1, 0)),
        ({("changed", ""): 1, ("refused", "stale_plan"): 5}, WaveResult(1, 0)),
        ({("cancelled", "cancelled"): 2}, WaveResult(0, 0)),
    ],
)
def test_what_counts_as_tried_and_as_failed(ends: dict[tuple[str, str], int], expected: WaveResult) -> None:
    assert wave_result(ends) == expected


@pytest.mark.parametrize(
    ("wave", "limit", "passes"),
    [
        (WaveResult(10, 1), 10, True),
        (WaveResult(9, 1), 10, False),
        (WaveResult(1, 1), 99, False),
        (WaveResult(1, 1), 100, True),
        (WaveResult(5, 0), 0, True),
        (WaveResult(119, 1), 0, False),
        (WaveResult(0, 0), 0, True),
    ],
)
def test_exactly_the_limit_is_allowed(wave: WaveResult, limit: int, passes: bool) -> None:
    assert wave.passes(limit) is passes


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 100))
def test_more_failures_never_let_the_next_wave_start(well: int, failed: int, limit: int) -> None:
    if not WaveResult(well + failed, failed).passes(limit):
        assert not WaveResult(well + failed + 1, failed + 1).passes(limit)
