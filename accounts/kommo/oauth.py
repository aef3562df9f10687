"""Asks the token endpoint of an account for pairs, and Kommo for the place of an account (docs/kommo.md 1.3, 1.6)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from accounts.kommo.answers import Answer, read
from accounts.kommo.error_answers import error_of, problem_of
from accounts.kommo.errors import (
    BadAnswer,
    Forbidden,
    GrantRefused,
    IpBlocked,
    KommoError,
    NetworkError,
    NotFound,
    ServerError,
    Unauthorised,
    Validation,
    gettext_noop,
)
from accounts.kommo.token_claims import jwt_claims
from accounts.kommo.tokens import fit_for_header
from accounts.kommo.transport import Transport

ENDPOINT = "/oauth2/access_token"
CURRENT_SUBDOMAIN = "/oauth2/account/current/subdomain"
SUBDOMAIN = "/oauth2/account/subdomain"
ACCESS_LIFE = 86_400.0  # seconds, when the answer does not say
LONGEST_LIFE = 5 * 365 * ACCESS_LIFE  # of a long-lived token (docs/kommo.md 1.5)
# Said by what stands before Kommo, not of the grant: no such method, a proxy's login, another server, too early.
NOT_OF_THE_GRANT = frozenset({405, 407, 421, 425})


@dataclass(frozen=True)
class ClientKeys:
    """The keys that an integration shows at the token endpoint; `redirect_uri` is compared there in both grants."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True)
class Tokens:
    """A pair as Kommo gave it; `lives` is the seconds that the access token is good for."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    lives: float


@dataclass(frozen=True)
class Place:
    """The place where an account is now, as Kommo says."""

    account_id: int
    subdomain: str


def exchange_code(transport: Transport, keys: ClientKeys, code: str) -> Tokens:
    """Returns the first pair for a code of the consent page: valid for 20 minutes, once.

    Raises GrantRefused when Kommo does not take it, or another KommoError.
    """
    return _grant(transport, keys, "authorization_code", "code", code)


def refresh(transport: Transport, keys: ClientKeys, refresh_token: str) -> Tokens:
    """Returns a new pair. Until it is used, the old refresh token still works, as after a lost answer.

    Raises GrantRefused when Kommo takes it no more, or another KommoError: then nothing is known to be lost
    (docs/kommo.md 1.3).
    """
    return _grant(transport, keys, "refresh_token", "refresh_token", refresh_token)


def place_by_refresh_token(transport: Transport, base_url: str, refresh_token: str) -> Place:
    """Returns the place of this refresh token's account; `base_url` is that of the token's `api_domain`."""
    return _place(transport, base_url, CURRENT_SUBDOMAIN, {"X-Refresh-Token": refresh_token}, refresh_token)


def place_by_access_token(transport: Transport, base_url: str, access_token: str) -> Place:
    """Returns the place of this access token's account."""
    return _place(transport, base_url, SUBDOMAIN, {"Authorization": f"Bearer {access_token}"}, access_token)


def api_domain(access_token: str) -> str:
    """Returns the first name of the token's `api_domain`, as api-c of api-c.kommo.com, or "" (docs/kommo.md 1.4)."""
    claims = jwt_claims(access_token)
    domain, base = claims.get("api_domain"), claims.get("base_domain")
    if not isinstance(domain, str) or not isinstance(base, str) or not domain.endswith(f".{base}"):
        return ""
    return domain.removesuffix(f".{base}")


# -- one request each --


def _grant(transport: Transport, keys: ClientKeys, grant_type: str, name: str, value: str) -> Tokens:
    """Asks for a pair; raises BadAnswer unless both tokens come and fit a header: half a pair must never be stored."""
    body = {
        "client_id": keys.client_id,
        "client_secret": keys.client_secret,
        "grant_type": grant_type,
        name: value,
        "redirect_uri": keys.redirect_uri,
    }
    data = json.dumps(body, separators=(",", ":")).encode()
    url = transport.base_url + ENDPOINT
    answer = transport.send("POST", ENDPOINT, url, transport.headers({}), data)
    if not 200 <= answer.status < 300:
        raise _grant_error(answer, value, keys.client_secret)
    document = read(answer) or {}
    access, fresh, lives = (document.get(key) for key in ("access_token", "refresh_token", "expires_in"))
    if not all(isinstance(each, str) and fit_for_header(each) for each in (access, fresh)):
        raise BadAnswer(
            gettext_noop("the answer holds no token pair"), **answer.facts(outcome_unknown=True, retryable=True)
        )
    if not isinstance(lives, int | float) or isinstance(lives, bool) or not 0 < lives <= LONGEST_LIFE:
        lives = ACCESS_LIFE
    return Tokens(str(access), str(fresh), float(lives))


def _grant_error(answer: Answer, *secrets: str) -> KommoError:
    """Returns GrantRefused for 4xx but 402, 404, 408, 429 and a blocked IP: the grant is dead (docs/kommo.md 1.3).

    The hint tells most. Only Kommo's API can say so: a page of a proxy or a firewall says nothing about the grant.
    """
    error = error_of(answer, *secrets)
    if not isinstance(error, Unauthorised | Validation | Forbidden):
        return error
    problem = problem_of(answer, *secrets)
    if answer.status in NOT_OF_THE_GRANT or not problem:
        return BadAnswer(error.detail, **answer.facts(outcome_unknown=True))
    hint = problem.get("hint", "")
    reasons = f"{hint} {error.detail}".lower()
    code = "token_revoked" if "revoked" in reasons else "token_expired" if "expired" in reasons else "unauthorised"
    return GrantRefused(hint or error.detail, **answer.facts(code=code))


def _place(transport: Transport, base_url: str, path: str, headers: dict[str, str], secret: str) -> Place:
    answer = transport.send("GET", path, base_url.rstrip("/") + path, transport.headers(headers))
    if not 200 <= answer.status < 300:
        raise error_of(answer, secret)
    document = read(answer) or {}
    number, subdomain = document.get("id"), document.get("subdomain")
    if not isinstance(number, int) or not isinstance(subdomain, str):
        raise BadAnswer(gettext_noop("the answer names no account"), **answer.facts())
    return Place(number, subdomain.lower())


Question = Callable[[], Place]


def first_place(*questions: Question) -> Place | None:
    """Returns the first answer; None when nobody knows. What concerns every account (a stop, a pause) is raised.

    A plain 403 of an address that is not the account's own says nothing of the account.
    """
    for ask in questions:
        try:
            return ask()
        except (Unauthorised, NotFound, BadAnswer, Validation, Forbidden, IpBlocked, ServerError, NetworkError):
            continue
    return None
