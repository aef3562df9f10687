"""Bearer tokens that look like Kommo's: a JWT whose claims can be read and whose signature means nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

YEAR = 365 * 24 * 3600
API_DOMAIN = "api-c.kommo.com"
LONG_LIVED, OAUTH = "long_lived", "oauth"
SCOPES = ["push_notifications", "files", "crm", "files_delete", "notifications"]


@dataclass(slots=True)
class Token:
    """One accepted token of one account."""

    value: str
    expires_at: float
    revoked: bool = False
    kind: str = LONG_LIVED


def make_jwt(
    *,
    account_id: int,
    user_id: int,
    issued_at: float,
    expires_at: float,
    serial: int,
    client_id: str | None = None,
    api_domain: str = API_DOMAIN,
) -> str:
    """Returns a token with the claims of docs/kommo.md 1.4; `serial` makes two of one second differ.

    Without a client id the token names a random one.
    """
    name = hashlib.sha256(f"{account_id}/{serial}/{issued_at}".encode()).hexdigest()
    head = {"typ": "JWT", "alg": "RS256", "jti": name}
    claims = {
        "aud": client_id or f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:32]}",
        "jti": name,
        "iat": int(issued_at),
        "nbf": int(issued_at),
        "exp": int(expires_at),
        "sub": str(user_id),
        "grant_type": "",
        "account_id": account_id,
        "base_domain": "kommo.com",
        "api_domain": api_domain,
        "version": 2,
        "scopes": SCOPES,
    }
    signed = f"{_part(head)}.{_part(claims)}"
    signature = hashlib.shake_256(signed.encode()).digest(256)
    return f"{signed}.{_encode(signature)}"


def _part(value: dict[str, Any]) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
