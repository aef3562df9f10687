"""Reads once what is stored already: an import compares every row with it."""

import hashlib
from collections import defaultdict

from django.db.models import F, TextField
from django.db.models.functions import Cast

from accounts.fields import Sealed, WrongEncryptionKey
from accounts.models import Account, AccountEvent, Integration, SyncGroup


def hash_of(refresh_token: str) -> str:
    """Returns what is stored of a refresh token from a file, to know it again after it was rotated."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()


class Existing:
    """Groups, accounts and integrations by the names that files use; a secret is decrypted when it is asked for.

    A secret that no key opens must not keep a new one from being stored, so they are read encrypted.
    """

    def __init__(self) -> None:
        self.groups = {group.name: group for group in SyncGroup.objects.all()}
        encrypted = {
            "stored_token": Cast("token", TextField()),
            "stored_refresh": Cast("pair__refresh_token", TextField()),
        }
        accounts = Account.objects.select_related("group").defer("token")
        accounts = accounts.annotate(**encrypted, imported_hash=F("pair__imported_hash"))
        self.accounts = {account.subdomain: account for account in accounts}
        renamed = AccountEvent.objects.exclude(former_subdomain="").order_by("pk")
        self.renamed = dict(renamed.values_list("former_subdomain", "account__subdomain"))
        integrations = Integration.objects.defer("client_secret")
        integrations = integrations.annotate(stored_secret=Cast("client_secret", TextField()))
        self.integrations = {integration.client_id: integration for integration in integrations}
        self._client_ids = {integration.pk: client_id for client_id, integration in self.integrations.items()}
        self.served: dict[str, set[str]] = defaultdict(set)
        for account in self.accounts.values():
            self.served[self.client_id(account)].add(account.subdomain)

    def client_id(self, account: Account | None) -> str:
        """Returns the client id of the account's integration; "" when it has none."""
        return self._client_ids.get(account.integration_id or 0, "") if account else ""

    def master_of(self, group: SyncGroup) -> Account | None:
        members = (account for account in self.accounts.values() if account.group_id == group.pk)
        return next((account for account in members if account.role == Account.Role.MASTER), None)


def token_of(account: Account) -> str | None:
    """Returns the stored long-lived token; None when no key opens it."""
    return _opened(getattr(account, "stored_token", ""))


def refresh_token_of(account: Account) -> str | None:
    return _opened(getattr(account, "stored_refresh", ""))


def secret_of(integration: Integration) -> str | None:
    return _opened(getattr(integration, "stored_secret", ""))


def _opened(encrypted: str | None) -> str | None:
    try:
        return Sealed(encrypted).opened() if encrypted else ""
    except WrongEncryptionKey:
        return None
