"""What is sent again, and when."""

import pytest

from accounts.kommo.errors import (
    BadAnswer,
    Forbidden,
    IpBlocked,
    KommoError,
    NetworkError,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorised,
    Unpaid,
    Validation,
)
from accounts.kommo.retry import Policy, decide, harmless_twice
from accounts.kommo.stopping import Stopped

POLICY = Policy()


def wait_for(method: str, error: KommoError, attempt: int = 1, random: float = 0.5) -> float | None:
    return decide(method, error, attempt, POLICY, lambda: random)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("error", [ServerError(), NetworkError(), NetworkError(sent=False), RateLimited()])
def test_it_repeats_what_says_the_same_thing_again(method: str, error: KommoError) -> None:
    assert wait_for(method, error) is not None


@pytest.mark.parametrize("error", [ServerError(status=504), NetworkError(), BadAnswer(retryable=True)])
def test_it_never_repeats_a_post_that_may_have_happened(error: KommoError) -> None:
    assert wait_for("POST", error) is None


@pytest.mark.parametrize("error", [RateLimited(status=429), NetworkError(sent=False)])
def test_it_repeats_a_post_that_surely_did_not_happen(error: KommoError) -> None:
    assert wait_for("POST", error) is not None


NEW_OPTION = {"id": 7, "enums": [{"id": 1, "value": "Web"}, {"value": "Fair"}]}
REMOVED_OPTION = {"enums": [{"id": 1, "value": "Web", "sort": 10}]}
DESCRIBED = {"name": "New", "color": "#fffeb2", "sort": 20, "descriptions": [{"level": "newbie", "description": "Hi"}]}
WITH_STAGES = {"name": "Sales", "_embedded": {"statuses": [{"name": "New", "sort": 10}]}}


@pytest.mark.parametrize("body", [NEW_OPTION, [{"id": 8, "name": "A"}, NEW_OPTION], REMOVED_OPTION, DESCRIBED,
                                  WITH_STAGES, [{"name": "without an id"}]])  # fmt: skip
@pytest.mark.parametrize("error", [ServerError(status=504), ServerError(), NetworkError(), BadAnswer(retryable=True)])
def test_it_never_repeats_a_patch_that_makes_or_replaces_what_is_inside_an_item(
    error: KommoError, body: object
) -> None:
    assert decide("PATCH", error, 1, POLICY, lambda: 0.5, body) is None
    assert decide("PATCH", RateLimited(status=429), 1, POLICY, lambda: 0.5, body) is not None
    assert decide("PATCH", NetworkError(sent=False), 1, POLICY, lambda: 0.5, body) is not None


def test_a_patch_of_options_waits_ten_seconds_at_most_before_it_is_repeated() -> None:
    """After that somebody may have added an option, which the same list of options would delete."""
    waits = [decide("PATCH", RateLimited(retry_after=after), 1, POLICY, lambda: 0.0, NEW_OPTION) for after in (10, 11)]
    assert waits == [10, None]
    assert decide("PATCH", RateLimited(retry_after=11), 1, POLICY, lambda: 0.0, {"id": 7, "name": "A"}) == 11


@pytest.mark.parametrize("body", [
    {"name": "New", "color": "#fffeb2", "sort": 20},
    [{"id": 7, "name": "A", "sort": 3}, {"id": 8, "currency": "EUR"}],
    {"id": 7, "required_statuses": [{"pipeline_id": 1, "status_id": 142}]},
    {"name": "Deal", "sort": 2, "fields": [1, 2, 3]},
])  # fmt: skip
def test_a_patch_that_only_says_the_same_again_is_repeated(body: object) -> None:
    assert harmless_twice("PATCH", body)
    assert decide("PATCH", ServerError(status=504), 1, POLICY, lambda: 0.5, body) is not None


def test_it_reads_again_after_a_truncated_answer_but_does_not_write_again() -> None:
    assert wait_for("GET", BadAnswer(retryable=True)) is not None
    assert wait_for("PATCH", BadAnswer(retryable=True)) is None
    assert wait_for("GET", BadAnswer()) is None


@pytest.mark.parametrize(
    "error",
    [Unauthorised(), Unpaid(), Forbidden(), IpBlocked(), NotFound(), Validation(), Stopped()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_it_takes_no_for_an_answer(method: str, error: KommoError) -> None:
    assert wait_for(method, error) is None


def test_the_backoff_doubles_under_full_jitter() -> None:
    assert [wait_for("GET", ServerError(), attempt, random=1.0) for attempt in (1, 2, 3, 4)] == [0.5, 1, 2, 4]
    assert wait_for("GET", ServerError(), 4, random=0.0) == 0


def test_it_gives_up_after_the_last_attempt() -> None:
    assert wait_for("GET", ServerError(), POLICY.attempts - 1) is not None
    assert wait_for("GET", ServerError(), POLICY.attempts) is None


def test_it_honours_the_pause_that_kommo_asks_for() -> None:
    assert wait_for("POST", RateLimited(retry_after=7.0), random=0.0) == 7.0
    assert wait_for("GET", ServerError(retry_after=3.0), random=0.0) == 3.0


def test_it_gives_up_on_a_pause_longer_than_it_waits() -> None:
    assert wait_for("GET", RateLimited(retry_after=60.0)) == 60.0
    assert wait_for("GET", RateLimited(retry_after=61.0)) is None


@pytest.mark.parametrize("retry_after", [None, 0.0])
def test_a_429_without_a_time_waits_for_the_window_of_one_second(retry_after: float | None) -> None:
    wait = wait_for("GET", RateLimited(retry_after=retry_after), random=0.0)
    assert wait == 1.0
