"""Time that has passed is what the clock says that shows most of it."""

import time
from dataclasses import dataclass

import pytest

from accounts.kommo.elapsed_time import CLOCKS, moment, seconds_since


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clocks() -> list[Clock]:
    """One that stands still while the machine sleeps, one that does not, and the wall's."""
    return [Clock(), Clock(), Clock()]


@pytest.mark.parametrize(
    ("passed", "seconds"),
    [
        ((5, 5, 5), 5),
        ((0, 15, 15), 15),  # it slept
        ((0, 0, 15), 15),  # it was paused from outside; the wall clock was set right
        ((5, 5, -3595), 5),  # the wall clock was set back an hour
    ],
)
def test_the_clock_that_shows_most_is_believed(clocks: list[Clock], passed: tuple[float, ...], seconds: float) -> None:
    then = moment(clocks)
    for clock, more in zip(clocks, passed, strict=True):
        clock.now += more

    assert seconds_since(then, clocks) == seconds


def test_it_goes_by_every_clock_that_this_machine_has() -> None:
    assert len(CLOCKS) == 2 + hasattr(time, "CLOCK_BOOTTIME")
    assert 0 <= seconds_since(moment()) < 5
