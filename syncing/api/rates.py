"""The limit of requests per minute of each API key.

It is counted in the memory of the web server, so that reading writes nothing: with several web processes each has its
own count. A key that is not known is never counted, so guesses take no memory.
"""

import math
import threading
import time
from collections.abc import Callable

from syncing import conf
from syncing.api.http import ApiError

MINUTE = 60.0


class KeyRates:
    """A bucket of one minute's requests for each key, which fills again steadily. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[int, tuple[float, float]] = {}  # by key: requests left, and when that was so

    def wait(self, key_id: int, per_minute: int) -> float:
        """Takes a request; returns 0, or the seconds until there is one again."""
        with self._lock:
            now = self._clock()
            left, since = self._buckets.get(key_id, (float(per_minute), now))
            left = min(float(per_minute), left + (now - since) * per_minute / MINUTE)
            if left < 1:
                self._buckets[key_id] = (left, now)
                return (1 - left) * MINUTE / per_minute
            self._buckets[key_id] = (left - 1, now)
        return 0.0


_rates = KeyRates()


def take(key_id: int) -> None:
    """Counts a request of the key; raises ApiError 429 when it has used up its minute."""
    limit = conf.api_rate()
    seconds = _rates.wait(key_id, limit) if limit else 0
    if seconds:
        wait = math.ceil(seconds)
        message = f"This API key may make {limit} requests per minute."
        raise ApiError(429, "rate_limited", message, f"Ask again in {wait} s.", {"Retry-After": str(wait)})
