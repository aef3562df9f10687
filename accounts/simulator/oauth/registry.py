"""The integrations of a world, and the operations that concern several accounts at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from accounts.simulator.oauth.integrations import SimIntegration, new_secret

if TYPE_CHECKING:
    from accounts.simulator.account import SimAccount

Integrations = dict[str, SimIntegration]


def register(integrations: Integrations, accounts: Mapping[str, SimAccount], integration: SimIntegration) -> None:
    """Registers an integration; raises ValueError for a taken client id or an account that is not there."""
    if integration.client_id in integrations:
        raise ValueError(f"there is an integration {integration.client_id!r} already")
    if integration.account is not None and integration.account not in accounts:
        raise ValueError(f"there is no account {integration.account!r}")
    integrations[integration.client_id] = integration


def renew_secret(accounts: Mapping[str, SimAccount], integration: SimIntegration, *, revoke_grants: bool) -> str:
    """Renews a secret; for a private one always revokes the grants, for a public one on demand (docs/kommo.md 1.3)."""
    integration.client_secret = new_secret()
    if revoke_grants or not integration.is_public:
        for account in list(accounts.values()):
            account.grants.revoke(integration.client_id)
    return integration.client_secret


def move_integrations(integrations: Integrations, old: str, new: str) -> None:
    """Moves the private integrations of an account that is renamed."""
    for integration in integrations.values():
        if integration.account == old:
            integration.account = new
