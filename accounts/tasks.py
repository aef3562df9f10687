"""The tasks that the queue's workers run for the accounts; arguments are ids only."""

from collections.abc import Sequence

from accounts.services.connecting import invites
from accounts.services.health import bulk_check
from accounts.services.upkeep import renewal


def check_slice(check_id: int) -> str:
    """Checks the next accounts of a check of many."""
    return bulk_check.run_slice(check_id)


def upkeep(after: int = 0) -> str:
    """Runs the hourly round that keeps connections alive, or its continuation: the accounts with a greater id."""
    return renewal.run_round(after)


def send_invites(invite_ids: Sequence[int]) -> int:
    """Sends these invite links by e-mail; returns how many were sent."""
    return invites.send_mails(invite_ids)
