"""What the queue's workers do for the accounts; arguments are ids only."""

from collections.abc import Sequence

from accounts.services.connecting import invites
from accounts.services.health import bulk_check
from accounts.services.upkeep import renewal


def check_slice(check_id: int) -> str:
    """The next accounts of a check of many."""
    return bulk_check.run_slice(check_id)


def upkeep(after: int = 0) -> str:
    """The hourly round that keeps connections alive, and each of its continuations: accounts with a greater id."""
    return renewal.run_round(after)


def send_invites(invite_ids: Sequence[int]) -> int:
    """Sends these invite links by e-mail; gives how many were sent."""
    return invites.send_mails(invite_ids)
