"""Asks an account who it is, and which rights the token has: the requests of a check. The database is not asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from accounts.kommo.client import KommoClient
from accounts.kommo.errors import Forbidden, KommoError
from accounts.kommo.retry import Policy
from accounts.kommo.stopping import Stop
from accounts.kommo.texts import storable
from accounts.log_context import log_ids
from accounts.models import Account
from accounts.services.credentials.clients import client_for

CHECK_POLICY = Policy(attempts=2, max_wait=10)  # somebody waits for the answer


@dataclass(frozen=True)
class Probe:
    """Kommo's answer, before it is compared with what is stored; `error` when it did not let us in."""

    kommo_id: int | None = None
    subdomain: str = ""
    user_id: int | None = None
    is_admin: bool = False
    error: KommoError | None = None


def probe(account: Account, *, stop: Stop | None = None) -> Probe:
    """Makes the requests of a check of `account`, which must be loaded with its secrets; any thread may do it."""
    try:
        with (
            log_ids(group=account.group_id, account=account.pk),
            client_for(account, read_only=True, stop=stop, policy=CHECK_POLICY) as client,
        ):
            return with_rights(client, identify(client))
    except KommoError as error:
        return Probe(error=error)


def identify(client: KommoClient) -> Probe:
    """Asks whose account answers: GET /account (docs/kommo.md 8); nothing is known of the rights yet."""
    about = client.get("/account") or {}
    kommo_id, user_id = about.get("id"), about.get("current_user_id")
    return Probe(
        kommo_id=kommo_id if isinstance(kommo_id, int) else None,
        subdomain=storable(str(about.get("subdomain") or "")).lower(),
        user_id=user_id if isinstance(user_id, int) else None,
    )


def with_rights(client: KommoClient, answer: Probe) -> Probe:
    """Asks whether the token's user is an administrator: GET /users/{id}."""
    user: Mapping[str, Any] = {}
    if answer.user_id is not None:
        try:
            user = client.get(f"/users/{answer.user_id}") or {}
        except Forbidden:  # only administrators see users
            user = {}
    rights = user.get("rights")
    return replace(answer, is_admin=isinstance(rights, dict) and rights.get("is_admin") is True)
