"""What the queue's workers do for the accounts; arguments are ids only."""

from accounts.services import checking


def check_slice(check_id: int) -> str:
    """The next accounts of a check of many."""
    return checking.work(check_id)
