"""The requests of a check: whose account answers, and with which rights; the database is not asked here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts.kommo.client import KommoClient
from accounts.kommo.errors import Forbidden, KommoError
from accounts.kommo.retry import Policy
from accounts.kommo.stopping import Stop
from accounts.models import Account
from accounts.services.credentials import client_for

CHECK_POLICY = Policy(attempts=2, max_wait=10)  # somebody waits for the answer


@dataclass(frozen=True)
class Probe:
    """What Kommo said, before it is compared with what is stored; `error` when it did not let us in."""

    kommo_id: int | None = None
    subdomain: str = ""
    is_admin: bool = False
    error: KommoError | None = None


def probe(account: Account, *, stop: Stop | None = None) -> Probe:
    """The requests of a check of `account`, which must be loaded with its secrets; any thread may do it."""
    try:
        with client_for(account, read_only=True, stop=stop, policy=CHECK_POLICY) as client:
            return ask(client)
    except KommoError as error:
        return Probe(error=error)


def ask(client: KommoClient) -> Probe:
    """GET /account for the identity, GET /users/{id} for the rights (kommo-api.md section 8); raises KommoError."""
    about = client.get("/account") or {}
    user_id = about.get("current_user_id")
    user: Mapping[str, Any] = {}
    if isinstance(user_id, int):
        try:
            user = client.get(f"/users/{user_id}") or {}
        except Forbidden:  # only administrators see users
            user = {}
    rights = user.get("rights")
    kommo_id = about.get("id")
    return Probe(
        kommo_id=kommo_id if isinstance(kommo_id, int) else None,
        subdomain=str(about.get("subdomain") or "").lower(),
        is_admin=isinstance(rights, dict) and rights.get("is_admin") is True,
    )
