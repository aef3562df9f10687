"""The laws look at other examples each time only where nobody counts on the same verdict twice."""

import pytest

from accounts.tests.laws import is_random


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"LAW_EXAMPLES": "60"}, True),
        ({"LAW_EXAMPLES": "60", "CI": "false"}, True),
        ({"LAW_EXAMPLES": "60", "CI": "true"}, False),
        ({"CI": "true"}, False),
    ],
)
def test_only_a_deep_run_by_hand_takes_its_examples_at_random(environ: dict[str, str], expected: bool) -> None:
    assert is_random(environ) is expected
