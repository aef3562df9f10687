"""POST /_sim/oauth: the operations of tests and the demo on integrations and grants without a browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from accounts.simulator.oauth.token_endpoint import body_of
from accounts.simulator.world import World

Body = dict[str, Any]
OPERATIONS: dict[str, Callable[..., Body]] = {}


def operate(world: World, body: Body) -> Body:
    """Runs {op, ...}: an operation with its keywords; raises KeyError, TypeError or ValueError for a senseless one."""
    facts = dict(body)
    result = OPERATIONS[facts.pop("op")](world, **facts)
    world.mark_changed()
    return result


def integrations(world: World) -> Body:
    """Lists every integration, and the accounts where it holds a refresh token that is not revoked."""
    accounts = list(world.accounts.values())
    return {
        "integrations": [
            {
                **asdict(integration),
                "granted": [each.subdomain for each in accounts if each.grants.held_by(integration.client_id)],
            }
            for integration in list(world.integrations.values())
        ]
    }


def operation(run: Callable[..., Body]) -> Callable[..., Body]:
    """Registers the decorated function as the operation of its name."""
    OPERATIONS[run.__name__] = run
    return run


@operation
def add_integration(world: World, name: str = "KommoSync", **facts: Any) -> Body:
    return asdict(world.add_integration(name, **facts))


@operation
def grant(world: World, client_id: str, subdomain: str) -> Body:
    """Gives a pair as if someone had allowed it and the code had been exchanged."""
    _check_integration(world, client_id, subdomain)
    return body_of(world, world.accounts[subdomain].grants.issue(client_id))


@operation
def code(world: World, client_id: str, subdomain: str) -> Body:
    """Gives a code as if someone had allowed it."""
    _check_integration(world, client_id, subdomain)
    return {"code": world.accounts[subdomain].grants.issue_code(client_id)}


def _check_integration(world: World, client_id: str, subdomain: str) -> None:
    if not world.integrations[client_id].serves(subdomain):
        raise ValueError(f"a private integration of another account than {subdomain!r}")


@operation
def uninstall(world: World, client_id: str, subdomain: str) -> Body:
    integration = world.integrations[client_id]
    query = world.accounts[subdomain].uninstall(integration)
    return {"query": query, "hook_url": integration.hook_url}


@operation
def new_secret(world: World, client_id: str, revoke_grants: bool = False) -> Body:
    return {"client_secret": world.new_secret(world.integrations[client_id], revoke_grants=revoke_grants)}


@operation
def rename_account(world: World, old: str, new: str) -> Body:
    return {"subdomain": world.rename_account(old, new).subdomain}


@operation
def expire(world: World, subdomain: str, client_id: str | None = None, refresh: bool = False) -> Body:
    return {"expired": world.accounts[subdomain].grants.expire(client_id, refresh=refresh)}
