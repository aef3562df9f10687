"""The waves of a new run: decided once, when its rows are made."""

from collections.abc import Iterable

from accounts.models import WaveUnit
from syncing.engine import waves
from syncing.models import AccountRun, AccountState, RunPurpose, SyncRun


def number(run: SyncRun, parts: Iterable[AccountRun]) -> list[AccountRun]:
    """`parts` with their waves, by the policy of the group; only runs that write into slaves are split.

    What is skipped from the beginning (a paused account) is nobody's pilot and takes no place in a wave.
    """
    parts = list(parts)
    if run.writes and run.purpose != RunPurpose.PROMOTION:
        worked = [part for part in parts if part.state == AccountState.QUEUED]
        pilots = [part.account.is_pilot for part in worked]
        percent = run.group.wave_unit == WaveUnit.PERCENT
        for part, wave in zip(worked, waves.split(pilots, size=run.group.wave_size, percent=percent), strict=True):
            part.wave = wave
    return parts
