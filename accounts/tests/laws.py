"""How far the laws look: a few fixed examples in every run, many more in `make test-deep`.

LAW_EXAMPLES is the number of examples of each law; without it each law has its own small number. Examples are always
the same ones, as a gate has to say the same twice; only a deep run by hand (no `CI` in the environment) takes other
ones at random each time.
A test that belongs to the deep run is marked `law`.
"""

import os
from collections.abc import Callable, Mapping
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

LAW_EXAMPLES = int(os.environ.get("LAW_EXAMPLES", "0"))
IS_DEEP = LAW_EXAMPLES > 0
ONLY_DEEP = (pytest.mark.law, pytest.mark.skipif(not IS_DEEP, reason="tried by `make test-deep`"))
seeds = st.integers(0, 10**6)
Test = TypeVar("Test", bound=Callable[..., object])


def only_deep(test: Test) -> Test:
    """Leaves a test out of `make test`; one case of a test is left out by `pytest.param(..., marks=ONLY_DEEP)`."""
    for mark in ONLY_DEEP:
        test = mark(test)
    return test


def is_random(environ: Mapping[str, str]) -> bool:
    is_gate = environ.get("CI", "").lower() not in ("", "0", "false")
    return int(environ.get("LAW_EXAMPLES", "0")) > 0 and not is_gate


def law(daily: int, *, cost: int = 1) -> settings:
    """The settings of laws that try `daily` examples in every run; one that takes `cost` times as long as others has
    so many fewer in a deep run.
    """
    return settings(
        max_examples=LAW_EXAMPLES // cost or daily,
        derandomize=not is_random(os.environ),
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
