"""What the queue's workers do for the accounts; arguments are ids only."""

from collections.abc import Sequence

from accounts.services import health, invites


def check_connections(account_ids: Sequence[int]) -> int:
    """Checks these accounts; gives how many could be asked."""
    return len(health.check_connections(account_ids))


def send_invites(invite_ids: Sequence[int], language: str) -> int:
    """Sends these invite links by e-mail, in this language; gives how many were sent."""
    return invites.send_mails(invite_ids, language)
