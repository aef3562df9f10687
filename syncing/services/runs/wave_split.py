"""Splits a new run into waves: once, when its rows are made."""

from collections import Counter
from collections.abc import Iterable, Sequence

from accounts.models import Account, SyncGroup, WaveUnit
from syncing.engine import waves
from syncing.models import AccountRun, AccountState, SyncRun
from syncing.purposes import purpose_of


def number(run: SyncRun, account_runs: Iterable[AccountRun]) -> list[AccountRun]:
    """Returns `account_runs` with their waves, by the policy of the group; only runs that write into slaves are split.

    What is skipped from the beginning (a paused account) is nobody's pilot and takes no place in a wave.
    """
    account_runs = list(account_runs)
    if run.writes and not purpose_of(run.purpose).writes_master:
        worked = [account_run for account_run in account_runs if account_run.state == AccountState.QUEUED]
        for account_run, wave in zip(
            worked, _split(run.group, [account_run.account for account_run in worked]), strict=True
        ):
            account_run.wave = wave
    return account_runs


def preview(group: SyncGroup, accounts: Sequence[Account]) -> list[int]:
    """Returns the number of `accounts` that a run that writes would have in each of its waves."""
    sizes = Counter(_split(group, accounts))
    return [sizes[wave] for wave in sorted(sizes)]


def _split(group: SyncGroup, accounts: Sequence[Account]) -> list[int]:
    pilots = [account.is_pilot for account in accounts]
    return waves.assign_waves(pilots, size=group.wave_size, percent=group.wave_unit == WaveUnit.PERCENT)
