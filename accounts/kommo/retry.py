"""Decides whether, and after how many seconds, a failed request is sent again, and waits for it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from accounts.kommo.errors import BadAnswer, IpBlocked, KommoError, NetworkError, RateLimited, ServerError
from accounts.kommo.failure_counter import FailureCounter
from accounts.kommo.pacing import Pacer
from accounts.kommo.stopping import Stopped

logger = logging.getLogger(__name__)

IDEMPOTENT = frozenset({"GET", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Policy:
    """Bounds of trying: requests in all, seconds of the first and of the longest wait."""

    attempts: int = 5
    base: float = 0.5
    max_wait: float = 60.0
    max_age: float = 10.0  # seconds after which what a PATCH says of the things in an item must be read again first
    rate_floor: float = 1.0  # a 429 without a time: the window is a second long (docs/kommo.md 2)


def decide(
    method: str, error: KommoError, attempt: int, policy: Policy, random: Callable[[], float], body: object = None
) -> float | None:
    """Returns the seconds to wait before attempt + 1, or None to give up.

    `attempt` counts from 1; `random` gives 0 <= x < 1 (full jitter); `body` is what was sent. A pause that Kommo asks
    for is honoured to the letter, or, longer than `policy.max_wait`, ends the trying.
    """
    if attempt >= policy.attempts or not may_repeat(method, error, body):
        return None
    if error.retry_after:
        longest = policy.max_wait if harmless_twice(method, body) or method == "POST" else policy.max_age
        return error.retry_after if error.retry_after <= longest else None
    backoff = min(policy.max_wait, policy.base * 2.0 ** (attempt - 1)) * random()
    return policy.rate_floor + backoff if isinstance(error, RateLimited) else backoff


def may_repeat(method: str, error: KommoError, body: object = None) -> bool:
    """Returns True if sending again can neither do a thing twice nor is bound to fail.

    No idempotency keys exist (docs/kommo.md 3): what is not `harmless_twice` is repeated only if it surely
    did not happen.
    """
    if not error.retryable:
        return False
    if not harmless_twice(method, body):
        return isinstance(error, RateLimited) or (isinstance(error, NetworkError) and error.sent is False)
    if isinstance(error, BadAnswer):
        return method == "GET"
    return isinstance(error, RateLimited | ServerError | NetworkError)


def harmless_twice(method: str, body: object) -> bool:
    """Returns True if the same request again can only say the same thing again.

    A PATCH that sets a list of things inside an item does more (options of a field, docs/kommo.md 5.4; descriptions of
    a stage, 4.7): what has no id in it is made once more under another id, and what a person has added since is gone.
    """
    if method != "PATCH":
        return method in IDEMPOTENT
    items = body if isinstance(body, list) else [body]
    nameless = isinstance(body, list) and any(isinstance(item, Mapping) and "id" not in item for item in items)
    return not nameless and not any(_sets_things(item) for item in items)


def _sets_things(item: object) -> bool:
    """Returns True if it holds, at any depth, a list of objects that are more than references (`status_id` alone)."""
    if not isinstance(item, Mapping):
        return False
    for value in item.values():
        things = value if isinstance(value, list) else ()
        if any(isinstance(thing, Mapping) and not all(key.endswith("_id") for key in thing) for thing in things):
            return True
        if _sets_things(value):
            return True
    return False


class Repeats:
    """Waits between a failed request and its repeat, for one account."""

    def __init__(
        self,
        pacer: Pacer,
        policy: Policy,
        sleep: Callable[[float], None],
        random: Callable[[], float],
        failures: FailureCounter | None = None,
    ) -> None:
        self.failures = failures or FailureCounter()
        self._pacer = pacer
        self._policy = policy
        self._sleep = sleep
        self._random = random

    def prepare(self, error: KommoError, method: str, attempt: int, body: object = None) -> None:
        """Waits until attempt + 1 may be sent; raises `error`, or what ends the account, when it may not.

        `method` and `body` as for `decide`.
        """
        if isinstance(error, IpBlocked):
            self._pacer.stop.set_all(error.code)
        self.failures.note_failure(error)
        policy = replace(self._policy, attempts=self.failures.most_attempts(method, self._policy.attempts))
        wait = decide(method, error, attempt, policy, self._random, body)
        if isinstance(error, RateLimited):
            if error.status is None:  # the pacer's own: it has decided not to wait
                raise error
            self._pacer.hold(max(error.retry_after or 0.0, wait or 0.0))
        if wait is None:
            self.failures.note_given_up(method, error, attempt)
            raise error
        logger.info("%s; attempt %d, again in %.1f s", error, attempt, wait)
        try:
            self._sleep(wait)
        except Stopped as stopped:
            stopped.account, stopped.method, stopped.path = error.account, error.method, error.path
            stopped.outcome_unknown = error.outcome_unknown
            raise
