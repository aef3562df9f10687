"""Tells how much time has passed, whatever the machine did meanwhile: it may have slept, or had its clock set."""

import time
from collections.abc import Callable, Sequence

# CLOCK_MONOTONIC stands still while a machine sleeps, on Linux CLOCK_BOOTTIME does not; in a virtual machine that was
# paused neither need know, but the wall clock is set right soon after.
CLOCKS: tuple[Callable[[], float], ...] = (
    time.monotonic,
    *([lambda: time.clock_gettime(time.CLOCK_BOOTTIME)] if hasattr(time, "CLOCK_BOOTTIME") else []),
    time.time,
)

Moment = tuple[float, ...]


def moment(clocks: Sequence[Callable[[], float]] = CLOCKS) -> Moment:
    """Returns now, by each of the clocks."""
    return tuple(clock() for clock in clocks)


def seconds_since(then: Moment, clocks: Sequence[Callable[[], float]] = CLOCKS) -> float:
    """Returns the seconds by the clock that shows most: a clock that was set back shows too little."""
    return max(clock() - at for clock, at in zip(clocks, then, strict=True))
