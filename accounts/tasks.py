"""What the queue's workers do for the accounts; arguments are ids only."""

from accounts.services import checking
from accounts.services import upkeep as keeping


def check_slice(check_id: int) -> str:
    """The next accounts of a check of many."""
    return checking.work(check_id)


def upkeep(after: int = 0) -> str:
    """The hourly round that keeps connections alive, and each of its continuations: accounts with a greater id."""
    return keeping.work(after)
