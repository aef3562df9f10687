"""Exclusions: items that an account must not be given; every change is audited."""

from accounts.actors import Actor
from accounts.models import Account
from syncing.models import AuditAction, Exclusion
from syncing.services import audit


def described(account: Account) -> list[str]:
    """Describes the exclusions of the account: the kind, and the name if it is not the whole kind."""
    rows = Exclusion.objects.filter(account=account).values_list("kind", "name")
    return [f"{kind} {name}".strip() for kind, name in rows]


def note_change(account: Account, before: list[str], *, by: Actor) -> None:
    """Audits how the exclusions changed since `before`; to be called in the transaction of the change."""
    after = described(account)
    if after != before:
        details = {"exclusions": [before, after]}
        audit.note(AuditAction.POLICY, by=by, group=account.group, account=account, details=details)
