"""An integration as its owner sees it in Kommo: keys, redirect address, and the signature of its disable hook."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit


def new_secret() -> str:
    return secrets.token_hex(32)


@dataclass(slots=True)
class SimIntegration:
    """One integration; `account` is the subdomain of the only account of a private one (docs/kommo.md 1.1).

    Raises ValueError for a redirect address that is no http(s) URL, a private one without an account, a public one
    with one.
    """

    redirect_uri: str
    name: str = "KommoSync"
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_secret: str = field(default_factory=new_secret)
    is_public: bool = True
    account: str | None = None
    hook_url: str = ""

    def __post_init__(self) -> None:
        check_redirect(self.redirect_uri)
        if self.is_public == (self.account is not None):
            raise ValueError("a private integration has one account, a public one has none of its own")

    def serves(self, subdomain: str) -> bool:
        """Returns whether an account may have this integration (docs/kommo.md 1.1)."""
        return self.is_public or self.account == subdomain

    def signature(self, account_id: int) -> str:
        """Returns the signature of the disable hook (docs/kommo.md 1.8)."""
        signed = f"{self.client_id}|{account_id}".encode()
        return hmac.new(self.client_secret.encode(), signed, hashlib.sha256).hexdigest()

    def hook_query(self, account_id: int) -> str:
        """Returns the query with which Kommo calls the disable hook (docs/kommo.md 1.8)."""
        facts = {"client_uuid": self.client_id, "account_id": account_id, "signature": self.signature(account_id)}
        return urlencode(facts)


def check_redirect(uri: str) -> None:
    """Raises ValueError unless it is an absolute http(s) URL."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"no redirect address: {uri!r}")
