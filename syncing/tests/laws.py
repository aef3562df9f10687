"""How far the laws look: a few fixed examples in every run, many more and at random in `make test-deep`.

LAW_EXAMPLES is the number of examples of each law; without it each law has its own small number, always the same ones.
A test that belongs to the deep run is marked `law`.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

LAW_EXAMPLES = int(os.environ.get("LAW_EXAMPLES", "0"))
IS_DEEP = LAW_EXAMPLES > 0
seeds = st.integers(0, 10**6)


def law(daily: int) -> settings:
    """The settings of laws that try `daily` examples in every run."""
    return settings(
        max_examples=LAW_EXAMPLES or daily,
        derandomize=not IS_DEEP,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
