"""What the queue's workers do for the accounts; arguments are ids only."""

from collections.abc import Sequence

from accounts.services import health


def check_connections(account_ids: Sequence[int]) -> int:
    """Checks these accounts; gives how many could be asked."""
    return len(health.check_connections(account_ids))
