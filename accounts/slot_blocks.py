"""Slots that this process has reserved ahead: a request that is served from them asks nothing of the database."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from accounts.kommo import elapsed_time
from accounts.kommo.pacing import SLOT_TOLERANCE, Key, Turn, next_turn

BLOCK = 1.0  # seconds of a key's time that a process reserves ahead at most
FRESH = 1.0  # seconds after which what was read of the database has to be read again
ROUNDING = 1e-6  # seconds


@dataclass
class Block:
    """A stretch of the time of one key in which only this process sends, by its monotonic clock.

    `stored` is what the row's `next_at` was set to: as long as it is still there, nobody stands behind this block,
    and what is unused of it can be given back.
    """

    next_at: float
    until: float
    stored: float
    step: float
    reserved_at: float
    taken: int = 0

    @property
    def is_used_up(self) -> bool:
        return self.next_at + self.step > self.until + ROUNDING

    def slots_ahead(self, granted: int, now: float) -> int:
        """Returns how many slots to reserve beyond the `granted` ones: none for whoever asks now and then.

        A block that was used up makes the next one twice as long, another one makes it as short as its use was, so
        that little is taken from other processes in vain.
        """
        if now - self.reserved_at > 2 * BLOCK:
            return 0
        wanted = 2 * (self.taken + granted) if self.is_used_up else self.taken
        return min(wanted, int(BLOCK / self.step)) if self.step else wanted


def keys_to_pace(keys: Sequence[Key]) -> Sequence[Key]:
    """Returns the keys whose slots have to be kept.

    Requests that keep the longer step of a shared key apart are as far apart under the caller's own key.
    """
    own, *shared = keys
    return shared if any(step >= own[1] for _, step in shared) else keys


class Blocks:
    """The blocks of one process by key, and the holds that are in force; safe over threads.

    All times are those of the first of `clocks`, which has to be monotonic.
    """

    def __init__(self, clocks: Sequence[Callable[[], float]] = elapsed_time.CLOCKS) -> None:
        self._clocks = clocks
        self.forget()

    def forget(self) -> None:
        """Drops all that was reserved: it is lost, others wait for its end."""
        self._lock = threading.Lock()
        self._blocks: dict[str, Block] = {}
        self._holds: Mapping[str, float] = {}
        self._read_at: elapsed_time.Moment | None = None

    def take(self, keys: Sequence[Key], earliest: float, patience: float) -> Turn | None:
        """Returns the turn, out of the blocks; None when the database has to be asked (see `pacing.Slots.take`)."""
        with self._lock:
            now = self.now()
            if not self._is_fresh() or any(self._holds.get(key, 0.0) > now for key, _ in keys):
                return None
            paced = keys_to_pace(keys)
            blocks = {key: self._blocks[key] for key, _ in paced if key in self._blocks}
            if len(blocks) < len(paced):
                return None
            turn, moved = next_turn(
                now, {key: block.next_at for key, block in blocks.items()}, keys, earliest, patience
            )
            if not turn.granted:
                return turn if turn.wait <= patience else None
            if any(moved[key] > block.until + ROUNDING for key, block in blocks.items()):
                return None
            for key, block in blocks.items():
                block.next_at = moved[key]
                block.taken += 1
            return turn

    def _is_fresh(self) -> bool:
        """Returns False also after a sleep of the machine: the slots that were reserved before are those of others."""
        return self._read_at is not None and elapsed_time.seconds_since(self._read_at, self._clocks) <= FRESH

    def is_held(self, names: Iterable[str], after: float) -> bool | None:
        """As `pacing.Slots.is_held`; None when that has to be read again."""
        with self._lock:
            at = self.now() + after + SLOT_TOLERANCE
            return any(self._holds.get(name, 0.0) > at for name in names) if self._is_fresh() else None

    def now(self) -> float:
        return self._clocks[0]()

    # -- for the thread that asks the database --

    def moment(self) -> elapsed_time.Moment:
        return elapsed_time.moment(self._clocks)

    def withdraw(self, names: Iterable[str]) -> dict[str, Block]:
        """Takes the blocks out, so that nobody is served from them until they come back by `put`."""
        with self._lock:
            return {name: self._blocks.pop(name) for name in names if name in self._blocks}

    def put(self, blocks: Mapping[str, Block], holds: Mapping[str, float], read_at: elapsed_time.Moment) -> None:
        """Stores `blocks`, and the ends of all holds that were in force at `read_at`."""
        with self._lock:
            if self._read_at is not None:
                passed = [late - early for early, late in zip(self._read_at, read_at, strict=True)]
                if max(passed) - passed[0] > FRESH:  # the monotonic clock stood still: what it says of slots is wrong
                    self._blocks.clear()
            self._blocks.update(blocks)
            self._holds = holds
            self._read_at = read_at
