"""The address of an account of today, asked with one of its tokens (docs/kommo.md 1.6)."""

from __future__ import annotations

from accounts.simulator.addressing import WWW
from accounts.simulator.messages import SimAnswer, SimRequest, encode, refused
from accounts.simulator.world import World

BY_ACCESS = "/oauth2/account/subdomain"
BY_REFRESH = "/oauth2/account/current/subdomain"


def counted_for(world: World, request: SimRequest) -> str:
    """Returns the subdomain that log, limiter and faults count a request for: the address's, else the token's."""
    label = request.address.label
    if request.path not in (BY_ACCESS, BY_REFRESH) or label not in ("", WWW, world.api_label):
        return label
    for account in list(world.accounts.values()):
        if request.path == BY_ACCESS and request.bearer in account.tokens:
            return account.subdomain
        if request.path == BY_REFRESH and request.refresh_token in account.grants.pairs:
            return account.subdomain
    return ""


def domain_of(world: World, request: SimRequest) -> SimAnswer:
    """Answers with the account's address; 401 for a token that is not good, or not of the account that was asked."""
    if request.method != "GET":
        return refused(405, "Method Not Allowed")
    account = world.accounts.get(request.subdomain)
    if account is None:
        return refused(401, "Invalid user name or password")
    if request.path == BY_REFRESH:
        # Only a look: neither this refresh token nor its parent ends by it, as no refresh happens.
        pair = account.grants.pairs.get(request.refresh_token)
        is_good = pair is not None and not pair.revoked and pair.expires_at > world.clock()
    else:
        # A call with the access token like any other: the first use of its pair.
        is_good = account.accepts(request.bearer)
        if is_good and account.grants.use_access(request.bearer):
            world.mark_changed()
    if not is_good:
        return refused(401, "Invalid user name or password")
    body = {
        "id": account.account_id,
        "subdomain": account.subdomain,
        "domain": request.address.of(account.subdomain),
        "top_level_domain": request.address.top_level_domain,
    }
    return SimAnswer(200, encode(body), "application/json")
