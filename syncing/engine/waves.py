"""Waves: which accounts of a writing run come first, and whether the next ones may follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SUCCEEDED = frozenset({"changed", "in_sync"})
FAILED = frozenset({"failed", "refused", "partial"})
# What was approved is not what would be done now, or somebody has to approve it first: nothing was tried.
NO_VERDICT = frozenset({"stale_plan", "needs_review"})


def assign_waves(pilots: Sequence[bool], *, size: int, percent: bool = False) -> list[int]:
    """Returns the wave (0, 1, 2, ... without gaps) of each account, in the order of `pilots`: True for one that is.

    Pilots come first if there are others as well. The others follow in their order, `size` at a time, or `size`
    percent of all accounts (rounded up); 0: all at once.
    """
    first = int(any(pilots) and not all(pilots))
    step = -(-size * len(pilots) // 100) if percent else size
    step = step or max(1, len(pilots))
    waves, others = [], 0
    for is_pilot in pilots:
        if first and is_pilot:
            waves.append(0)
            continue
        waves.append(first + others // step)
        others += 1
    return waves


@dataclass(frozen=True)
class WaveResult:
    """The result of a wave: the accounts that were tried, and those of them that failed."""

    tried: int
    failed: int

    @property
    def percent(self) -> float:
        return 100 * self.failed / self.tried if self.tried else 0.0

    def passes(self, max_percent: int) -> bool:
        """Returns True if the next wave may start: at most `max_percent` of what was tried has failed."""
        return self.failed * 100 <= max_percent * self.tried


def wave_result(ends: Mapping[tuple[str, str], int]) -> WaveResult:
    """Judges a wave by how many of its accounts ended with which (state, reason).

    What was skipped or cancelled was not tried, nor was an account whose plan has to be looked at (`NO_VERDICT`).
    """
    judged = {end: count for end, count in ends.items() if end[1] not in NO_VERDICT}
    failed = sum(count for (state, _), count in judged.items() if state in FAILED)
    return WaveResult(failed + sum(count for (state, _), count in judged.items() if state in SUCCEEDED), failed)
