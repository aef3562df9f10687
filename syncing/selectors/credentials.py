"""Reads of the credentials of accounts: how each is let in, and whether it can be connected as things are."""

from collections.abc import Collection
from dataclasses import dataclass

from accounts.models import Account
from accounts.services.connecting.attempts import is_connectable


@dataclass(frozen=True)
class Credential:
    """How an account is let in; `is_connectable`: by OAuth, with the integration that it has."""

    account_id: int
    uses_oauth: bool
    is_connectable: bool


def credentials_of(account_ids: Collection[int]) -> dict[int, Credential]:
    """Returns the credentials of these accounts by account, in one query; in none for no account."""
    if not account_ids:
        return {}
    accounts = Account.objects.filter(pk__in=account_ids).annotate(is_connectable=is_connectable()).order_by()
    rows = accounts.values_list("pk", "credential_kind", "is_connectable")
    return {pk: Credential(pk, kind == Account.CredentialKind.OAUTH, can_connect) for pk, kind, can_connect in rows}
