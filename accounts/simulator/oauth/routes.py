"""The addresses below /oauth and /oauth2, and the hosts that have them."""

from __future__ import annotations

from collections.abc import Callable

from accounts.simulator.addressing import WWW
from accounts.simulator.messages import SimAnswer, SimRequest
from accounts.simulator.oauth import consent, lookup, token_endpoint
from accounts.simulator.world import World

Perform = Callable[[], SimAnswer]
CONSENT = "/oauth"
TOKEN = "/oauth2/access_token"  # noqa: S105


def is_oauth(request: SimRequest) -> bool:
    """Returns whether the address is OAuth's at all: no token of the API is asked for there."""
    return request.path == CONSENT or request.path.startswith("/oauth2/")


def find(world: World, request: SimRequest) -> Perform | None:
    """Returns the call that answers the request; None where there is nothing."""
    label = request.address.label
    account = world.accounts.get(label)
    if request.path == CONSENT and label in ("", WWW):
        return lambda: consent.consent(world, request)
    if request.path == TOKEN and account is not None:
        return lambda: token_endpoint.exchange_token(world, account, request)
    if request.path == lookup.BY_ACCESS and (account is not None or label in ("", WWW, world.api_label)):
        return lambda: lookup.domain_of(world, request)
    # Asked of the host in the token's api_domain, and of no other (docs/kommo.md 1.6).
    if request.path == lookup.BY_REFRESH and label == world.api_label:
        return lambda: lookup.domain_of(world, request)
    return None
