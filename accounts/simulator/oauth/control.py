"""POST /_sim/oauth: what a test or the demo does to integrations and grants without a browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.oauth.token_endpoint import body_of
from accounts.simulator.world import World

Body = dict[str, Any]


def operate(world: World, body: Body) -> Body:
    """{op, ...}: one of OPERATIONS with its keywords; raises KeyError, TypeError or ValueError for a senseless one."""
    facts = dict(body)
    done = OPERATIONS[facts.pop("op")](world, **facts)
    world.mark_changed()
    return done


def integrations(world: World) -> Body:
    """GET /_sim/oauth: every integration, and the accounts where it holds a refresh token that is not revoked."""
    return {"integrations": [_show(world, each) for each in list(world.integrations.values())]}


def _show(world: World, integration: SimIntegration) -> Body:
    holders = [each.subdomain for each in list(world.accounts.values()) if each.grants.held_by(integration.client_id)]
    return {**asdict(integration), "granted": holders}


def _add_integration(world: World, name: str = "KommoSync", **facts: Any) -> Body:
    return asdict(world.add_integration(name, **facts))


def _grant(world: World, client_id: str, subdomain: str) -> Body:
    """A pair as if someone had allowed it and the code had been exchanged."""
    _check(world, client_id, subdomain)
    return body_of(world, world.accounts[subdomain].grants.issue(client_id))


def _code(world: World, client_id: str, subdomain: str) -> Body:
    """A code as if someone had allowed it."""
    _check(world, client_id, subdomain)
    return {"code": world.accounts[subdomain].grants.issue_code(client_id)}


def _check(world: World, client_id: str, subdomain: str) -> None:
    if not world.integrations[client_id].serves(subdomain):
        raise ValueError(f"a private integration of another account than {subdomain!r}")


def _uninstall(world: World, client_id: str, subdomain: str) -> Body:
    integration = world.integrations[client_id]
    query = world.accounts[subdomain].uninstall(integration)
    return {"query": query, "hook_url": integration.hook_url}


def _new_secret(world: World, client_id: str, revoke_grants: bool = False) -> Body:
    return {"client_secret": world.new_secret(world.integrations[client_id], revoke_grants=revoke_grants)}


def _rename_account(world: World, old: str, new: str) -> Body:
    return {"subdomain": world.rename_account(old, new).subdomain}


def _expire(world: World, subdomain: str, client_id: str | None = None, refresh: bool = False) -> Body:
    return {"expired": world.accounts[subdomain].grants.expire(client_id, refresh=refresh)}


OPERATIONS: dict[str, Callable[..., Body]] = {
    "add_integration": _add_integration,
    "grant": _grant,
    "code": _code,
    "uninstall": _uninstall,
    "new_secret": _new_secret,
    "rename_account": _rename_account,
    "expire": _expire,
}
