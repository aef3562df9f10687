"""Decides when the next request may go: the pace of one account and of the outgoing IP, exact for all who ask."""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from accounts.kommo.errors import RateLimited, gettext_noop
from accounts.kommo.stopping import Stop

MARGIN = 1.04  # the network shortens gaps: requests sent a step apart may arrive closer together
SLOT_TOLERANCE = 0.02  # seconds; half of what the margin leaves in one second
LONGEST_IP_HOLD = 2.0
LONG_WAIT = 1.0  # seconds for a turn, in which others may have been asked to pause
RECHECK = 0.25  # seconds before a turn that was waited for so long, when holds are looked for again
LONGEST_HOLD = 3600.0

Key = tuple[str, float]  # a name, and the seconds between two requests under it


class Turn(NamedTuple):
    """Seconds from now to the slot (negative: it is past); not `granted`: nothing is kept, ask again then."""

    wait: float
    granted: bool


class Slots(Protocol):
    """A store of the times of requests. The first key is the caller's own, the others are shared with other callers."""

    def take(self, keys: Sequence[Key], earliest: float = 0.0, patience: float = math.inf) -> Turn:
        """Returns the next slot that is free for all keys, not sooner than `earliest` seconds from now.

        Not granted when the own key alone asks for more than `patience` seconds (the wait tells how many), or
        when a shared key would stand idle until the own one is free.
        """

    def hold(self, key: str, seconds: float) -> None:
        """Gives no slot under `key` for so long from now."""

    def is_held(self, names: Sequence[str], after: float = 0.0) -> bool:
        """Returns True if a hold under one of the keys is in force `after` so many seconds: then no grant is used.

        A hold that ends within `SLOT_TOLERANCE` of then is none: the clocks of processes differ by a little.
        """


def step_of(rate: float) -> float:
    """Returns the seconds between two requests: no sliding second has more than `rate` (rounded down if above 1)."""
    return MARGIN / (math.floor(rate) if rate >= 1 else rate)


def next_turn(
    now: float, next_at: Mapping[str, float], keys: Sequence[Key], earliest: float, patience: float
) -> tuple[Turn, dict[str, float]]:
    """Returns the turn of one asker, and the rows it moves; all times on one clock, `next_at` may lack unknown keys.

    A `next_at` beyond the longest hold is a clock that was set back, not a reason to wait for hours.
    """
    free = {key: min(next_at.get(key, 0.0), now + LONGEST_HOLD) for key, _ in keys}
    own, *shared = keys
    mine = max(now + earliest, free[own[0]], now)
    slot = max(mine, *free.values())
    if mine - now > patience:
        return Turn(mine - now, False), {}
    if any(slot - max(now, free[key]) > max(step, SLOT_TOLERANCE) for key, step in shared):
        return Turn(slot - now, False), {}
    return Turn(slot - now, True), {key: slot + step for key, step in keys}


def extend_hold(now: float, next_at: float, seconds: float) -> float:
    """Returns the end of the hold of a key that is held for `seconds` from now."""
    return max(min(next_at, now + LONGEST_HOLD), now + min(seconds, LONGEST_HOLD))


class LocalSlots:
    """Slots in memory, for one process; safe over threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next_at: dict[str, float] = {}
        self._held_until: dict[str, float] = {}

    def take(self, keys: Sequence[Key], earliest: float = 0.0, patience: float = math.inf) -> Turn:
        with self._lock:
            turn, moved = next_turn(self._clock(), self._next_at, keys, earliest, patience)
            self._next_at.update(moved)
        return turn

    def hold(self, key: str, seconds: float) -> None:
        with self._lock:
            self._next_at[key] = extend_hold(self._clock(), self._next_at.get(key, 0.0), seconds)
            self._held_until[key] = extend_hold(self._clock(), self._held_until.get(key, 0.0), seconds)

    def is_held(self, names: Sequence[str], after: float = 0.0) -> bool:
        at = self._clock() + after + SLOT_TOLERANCE
        return any(self._held_until.get(name, 0.0) > at for name in names)


class Pacer:
    """Makes one account's requests wait for their turn. A rate of 0 means no limit of that kind."""

    def __init__(
        self,
        slots: Slots,
        account_key: str,
        rate_per_account: float,
        *,
        ip_key: str = "ip",
        rate_per_ip: float = 0.0,
        stop: Stop | None = None,
        max_wait: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.stop = stop or Stop()
        self._slots = slots
        self._step = step_of(rate_per_account) if rate_per_account else 0.0
        self._ip: tuple[Key, ...] = ((ip_key, step_of(rate_per_ip)),) if rate_per_ip else ()
        self._account_key = account_key
        limited = bool(self._step or self._ip)
        self._keys: tuple[Key, ...] = ((account_key, self._step), *self._ip) if limited else ()
        self._names = [key for key, _ in self._keys]
        self._max_wait = max_wait
        self._clock = clock
        self._sleep = sleep or self.stop.sleep
        self._not_before = -math.inf

    def now(self) -> float:
        """Returns the seconds on the clock that paces; only differences mean anything."""
        return self._clock()

    def wait(self) -> None:
        """Returns when the next request may be sent.

        Raises Stopped as soon as everything is stopped, RateLimited when the account is held beyond `max_wait`.
        """
        while True:
            self.stop.check()
            turn = self._next_turn(max(0.0, self._not_before - self._clock()))
            due = self._clock() + turn.wait
            if turn.wait > LONG_WAIT and turn.granted:
                self.pause(turn.wait - RECHECK)
                if self._is_held(RECHECK):
                    continue
            if due > self._clock():
                self.pause(due - self._clock())
            # Others hold the slots right behind ours on the common key: too late means to queue again.
            missed = bool(self._ip) and self._clock() - due > SLOT_TOLERANCE
            if turn.granted and not missed and not self._is_held():
                break
        # Spaced from the moment of sending, not from the slot: a thread that woke late would bunch requests.
        self._not_before = self._clock() + self._step

    def _next_turn(self, earliest: float) -> Turn:
        """Returns the next turn, not sooner than in `earliest` seconds; raises RateLimited beyond `max_wait`."""
        if not self._keys:
            turn = Turn(earliest, earliest <= self._max_wait)
        else:
            turn = self._slots.take(self._keys, earliest, self._max_wait)
        if turn.granted or turn.wait <= self._max_wait:
            return turn
        raise RateLimited(
            gettext_noop("requests are held for %(seconds)s s, longer than we wait (%(most)s s)")
            % {"seconds": f"{turn.wait:.0f}", "most": f"{self._max_wait:.0f}"},
            account=self._account_key,
            retry_after=turn.wait,
            until=time.time() + turn.wait,
        )

    def _is_held(self, after: float = 0.0) -> bool:
        """Returns True if Kommo asked for a pause after the slot was granted."""
        return bool(self._names) and self._slots.is_held(self._names, after)

    def pause(self, seconds: float) -> None:
        """Sleeps; raises Stopped at once when everything is stopped meanwhile."""
        self._sleep(seconds)
        self.stop.check()

    def note_answer(self) -> None:
        """Takes note that an answer came: on a new connection the request left later than we thought."""
        self._not_before = max(self._not_before, self._clock() + self._step)

    def hold(self, seconds: float) -> None:
        """Keeps the pause of `seconds` that Kommo asked for.

        Its pages contradict each other on whether the limit counts by IP or by account (docs/kommo.md 2):
        the account pauses for the whole time, the common IP only for the window of the limit, or one
        account's 300 seconds would stop the other 118.
        """
        self._not_before = max(self._not_before, self._clock() + min(seconds, LONGEST_HOLD))
        if self._keys:
            self._slots.hold(self._account_key, seconds)
        for key, _ in self._ip:
            self._slots.hold(key, min(seconds, LONGEST_IP_HOLD))
