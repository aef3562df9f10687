"""Reads what an access token says of itself, unverified (docs/kommo.md 1.4)."""

import base64
import binascii
import json
from typing import Any

LATEST = 10.0**12  # unix seconds that somebody can mean


def jwt_claims(token: str) -> dict[str, Any]:
    """Returns the claims of an access token, unverified, for display only; empty when it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = json.loads(payload)
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def token_expiry(token: str) -> float | None:
    """Returns the end of a token by its own claim, in unix seconds; None when it does not say."""
    exp = jwt_claims(token).get("exp")
    if isinstance(exp, bool) or not isinstance(exp, int | float) or not abs(exp) < LATEST:
        return None
    return float(exp)
