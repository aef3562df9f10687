"""POST {account}/oauth2/access_token: a code or a refresh token for a pair (docs/kommo.md 1.3)."""

from __future__ import annotations

import hmac
import json
from contextlib import suppress
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
    """Answers with the pair, or one of the refusals of the table; nothing is spent by a refused call."""
    if request.method != "POST":
        return refused(405, "Method Not Allowed")
    try:
        asked = _parameters(request)
        client_id = _authenticate(world, account, asked).client_id
        if asked["grant_type"] == "authorization_code":
            pair = account.grants.redeem(client_id, asked["code"])
        else:
            token, everybody = asked["refresh_token"], list(world.accounts.values())
            is_foreign = token not in account.grants.pairs and any(token in each.grants.pairs for each in everybody)
            if is_foreign and world.variants.foreign_refresh_status == 401:
                # Kommo's own SDK takes it for "perhaps the wrong domain" and looks the right one up.
                raise refusals.revoked_refresh()
            if is_foreign:
                raise refusals.bad_refresh()
            pair = account.grants.refresh(client_id, token)
    except OAuthRefusal as refusal:
        return SimAnswer(refusal.status, encode(refusal.body(world.variants.oauth_errors)), PROBLEM)
    world.mark_changed()
    return SimAnswer(200, encode(body_of(world, pair)), JSON)


def body_of(world: World, pair: GrantedPair) -> dict[str, Any]:
    """Returns the answer of success; server_time is in the newer page only."""
    time = {"server_time": int(world.clock())} if world.variants.token_server_time else {}
    tokens = {"access_token": pair.access, "refresh_token": pair.refresh}
    return {"token_type": "Bearer", "expires_in": ACCESS_LIFE, **time, **tokens}


def _parameters(request: SimRequest) -> dict[str, str]:
    """Returns every parameter of the grant, all of them text; raises OAuthRefusal for the first that is missing."""
    # The call is JSON and carries no Authorization header; the credential is in its body.
    if request.authorization:
        raise refusals.bad_parameter("Authorization")
    # A body that is no JSON object, or is not said to be JSON, holds no parameters.
    asked: Any = {}
    if request.content_type.partition(";")[0].strip().lower() == JSON:
        with suppress(ValueError):
            asked = json.loads(request.body)
    grant = asked.get("grant_type") if isinstance(asked, dict) else None
    if not isinstance(grant, str) or grant not in GRANTS:
        raise refusals.bad_parameter("grant_type")
    names = ("client_id", "client_secret", "redirect_uri", GRANTS[grant])
    for name in names:
        if not isinstance(asked.get(name), str) or not asked[name]:
            raise refusals.bad_parameter(name)
    return {"grant_type": grant, **{name: asked[name] for name in names}}


def _authenticate(world: World, account: SimAccount, asked: dict[str, str]) -> SimIntegration:
    """Returns the integration that calls; raises OAuthRefusal when it may not."""
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
