"""Exclusions: what an account is not to be given; who changed that is written down."""

from accounts.actors import Actor
from accounts.models import Account
from syncing.models import AuditAction, Exclusion
from syncing.services import audit


def described(account: Account) -> list[str]:
    """The exclusions of the account as they are told: kind, and the name if it is not the whole kind."""
    rows = Exclusion.objects.filter(account=account).values_list("kind", "name")
    return [f"{kind} {name}".strip() for kind, name in rows]


def note_change(account: Account, before: list[str], *, by: Actor) -> None:
    """Writes down what has become of `before`; to be called in the transaction of the change."""
    after = described(account)
    if after != before:
        details = {"exclusions": [before, after]}
        audit.note(AuditAction.POLICY, by=by, group=account.group, account=account, details=details)
