"""Kommo's oddities that more than one caller has to know, as pure functions."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

LATEST = 10.0**12  # unix seconds that somebody can mean


def enums_list(value: Any) -> list[dict[str, Any]]:
    """Options of a field as a list, in order: a batch PATCH may answer an object keyed by index.

    Source: kommo-api.md section 5.4.
    """
    if isinstance(value, Mapping):
        value = [value[key] for key in sorted(value, key=_index)]
    return [item for item in value or () if isinstance(item, dict)]


def _index(key: Any) -> tuple[int, str]:
    text = str(key)
    return (int(text), text) if text.isdecimal() else (1 << 30, text)


def jwt_claims(token: str) -> dict[str, Any]:
    """The claims of an access token, unverified, for display only; empty when it is no JWT (section 1.4)."""
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
    """When the token says that it ends, in unix seconds; None when it does not say."""
    exp = jwt_claims(token).get("exp")
    if isinstance(exp, bool) or not isinstance(exp, int | float) or not abs(exp) < LATEST:
        return None
    return float(exp)


def account_ids(answer: Mapping[str, Any]) -> frozenset[int]:
    """Every `account_id` that an answer names: at its root, on its items, on the stages inside pipelines.

    They tell whose account answered, without a request for it (section 8, identity).
    """
    return frozenset(
        found
        for item in (answer, *_embedded(answer))
        for holder in (item, *_embedded(item))
        if isinstance(found := holder.get("account_id"), int)
    )


def _embedded(holder: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    embedded = holder.get("_embedded")
    if isinstance(embedded, dict):
        for items in embedded.values():
            if isinstance(items, list):
                yield from (item for item in items if isinstance(item, dict))
