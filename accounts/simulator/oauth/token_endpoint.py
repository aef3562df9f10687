"""POST {account}/oauth2/access_token: a code or a refresh token for a pair (docs/kommo.md 1.3)."""

from __future__ import annotations

import hmac
import json
from typing import Any

from accounts.simulator.account import SimAccount
from accounts.simulator.messages import PROBLEM, SimAnswer, SimRequest, encode, refused
from accounts.simulator.oauth import refusals
from accounts.simulator.oauth.grants import ACCESS_LIFE, GrantedPair
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.oauth.refusals import OAuthRefusal
from accounts.simulator.world import World

JSON = "application/json"
# The parameter that holds the credential of each grant.
GRANTS = {"authorization_code": "code", "refresh_token": "refresh_token"}


def exchange_token(world: World, account: SimAccount, request: SimRequest) -> SimAnswer:
    """The pair, or one of the refusals of the table; nothing is spent by a refused call."""
    if request.method != "POST":
        return refused(405, "Method Not Allowed")
    try:
        asked = _parameters(request)
        integration = _client(world, account, asked)
        pair = _grant(world, account, integration, asked)
    except OAuthRefusal as refusal:
        return SimAnswer(refusal.status, encode(refusal.body(world.variants.oauth_errors)), PROBLEM)
    world.mark_changed()
    return SimAnswer(200, encode(body_of(world, pair)), JSON)


def body_of(world: World, pair: GrantedPair) -> dict[str, Any]:
    """The answer of success; server_time is in the newer page only."""
    time = {"server_time": int(world.clock())} if world.variants.token_server_time else {}
    tokens = {"access_token": pair.access, "refresh_token": pair.refresh}
    return {"token_type": "Bearer", "expires_in": ACCESS_LIFE, **time, **tokens}


def _parameters(request: SimRequest) -> dict[str, str]:
    """Every parameter of the grant, all of them text; raises OAuthRefusal for the first that is missing."""
    # The call is JSON and carries no Authorization header; the credential is in its body.
    if request.authorization:
        raise refusals.bad_parameter("Authorization")
    asked = _json_object(request)
    grant = asked.get("grant_type")
    if not isinstance(grant, str) or grant not in GRANTS:
        raise refusals.bad_parameter("grant_type")
    names = ("client_id", "client_secret", "redirect_uri", GRANTS[grant])
    for name in names:
        if not isinstance(asked.get(name), str) or not asked[name]:
            raise refusals.bad_parameter(name)
    return {"grant_type": grant, **{name: asked[name] for name in names}}


def _json_object(request: SimRequest) -> dict[str, Any]:
    """The body; one that is no JSON object, or is not said to be JSON, holds no parameters."""
    if request.content_type.partition(";")[0].strip().lower() != JSON:
        return {}
    try:
        body = json.loads(request.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _client(world: World, account: SimAccount, asked: dict[str, str]) -> SimIntegration:
    integration = world.integrations.get(asked["client_id"])
    # A private integration of another account is unknown here (docs/kommo.md 1.1).
    if integration is None or not integration.serves(account.subdomain):
        raise refusals.bad_parameter("client_id")
    if not hmac.compare_digest(integration.client_secret.encode(), asked["client_secret"].encode()):
        raise refusals.bad_client()
    # It must equal the registered one in both grants, to the letter.
    if integration.redirect_uri != asked["redirect_uri"]:
        raise refusals.bad_parameter("redirect_uri")
    return integration


def _grant(world: World, account: SimAccount, integration: SimIntegration, asked: dict[str, str]) -> GrantedPair:
    if asked["grant_type"] == "authorization_code":
        return account.grants.redeem(integration.client_id, asked["code"])
    value = asked["refresh_token"]
    if value not in account.grants.pairs and _known_elsewhere(world, value):
        # Kommo's own SDK takes a 401 for "perhaps the wrong domain" and looks the right one up.
        raise refusals.revoked_refresh() if world.variants.foreign_refresh_status == 401 else refusals.bad_refresh()
    return account.grants.refresh(integration.client_id, value)


def _known_elsewhere(world: World, value: str) -> bool:
    return any(value in each.grants.pairs for each in list(world.accounts.values()))
