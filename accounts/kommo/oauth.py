"""The token endpoint of an account, and the question where an account is now (docs/kommo.md 1.3 and 1.6)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from accounts.kommo.answers import Answer, error_of, problem_of, read
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
    """What an integration shows at the token endpoint; `redirect_uri` is compared there in both grants."""

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
    """Where an account is now, as Kommo says."""

    account_id: int
    subdomain: str


def exchange_code(transport: Transport, keys: ClientKeys, code: str) -> Tokens:
    """The first pair for a code of the consent page: valid for 20 minutes, once.

    Raises GrantRefused when Kommo does not take it, or another KommoError.
    """
    return _grant(transport, keys, "authorization_code", "code", code)


def refresh(transport: Transport, keys: ClientKeys, refresh_token: str) -> Tokens:
    """A new pair. Until it is used, the old refresh token still works, as after a lost answer (docs/kommo.md 1.3).

    Raises GrantRefused when Kommo takes it no more, or another KommoError: then nothing is known to be lost.
    """
    return _grant(transport, keys, "refresh_token", "refresh_token", refresh_token)


def place_by_refresh_token(transport: Transport, base_url: str, refresh_token: str) -> Place:
    """Where the account of this refresh token is; `base_url` is that of the token's `api_domain`."""
    return _place(transport, base_url, CURRENT_SUBDOMAIN, {"X-Refresh-Token": refresh_token}, refresh_token)


def place_by_access_token(transport: Transport, base_url: str, access_token: str) -> Place:
    """Where the account of this access token is."""
    return _place(transport, base_url, SUBDOMAIN, {"Authorization": f"Bearer {access_token}"}, access_token)


def api_domain(access_token: str) -> str:
    """The first name of the token's `api_domain`, as api-c of api-c.kommo.com, or "" (docs/kommo.md 1.4)."""
    claims = jwt_claims(access_token)
    domain, base = claims.get("api_domain"), claims.get("base_domain")
    if not isinstance(domain, str) or not isinstance(base, str) or not domain.endswith(f".{base}"):
        return ""
    return domain.removesuffix(f".{base}")


# -- one exchange each --


def _grant(transport: Transport, keys: ClientKeys, grant_type: str, name: str, value: str) -> Tokens:
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
        raise _refusal(answer, value, keys.client_secret)
    return _tokens(answer)


def _refusal(answer: Answer, *secrets: str) -> KommoError:
    """4xx but 402, 404, 408, 429 and a blocked IP: the grant is dead. The hint tells most (docs/kommo.md 1.3).

    Only Kommo's API can say so: a page of a proxy or a firewall says nothing about the grant.
    """
    error = error_of(answer, *secrets)
    if not isinstance(error, Unauthorised | Validation | Forbidden):
        return error
    if answer.status in NOT_OF_THE_GRANT or not problem_of(answer):
        return BadAnswer(error.detail, **answer.facts(outcome_unknown=True))
    hint = problem_of(answer, *secrets).get("hint", "")
    said = f"{hint} {error.detail}".lower()
    code = "token_revoked" if "revoked" in said else "token_expired" if "expired" in said else "unauthorised"
    return GrantRefused(str(hint or error.detail), **answer.facts(code=code))


def _tokens(answer: Answer) -> Tokens:
    """Raises BadAnswer unless both tokens are there and fit for a header: half a pair must never be stored."""
    document = read(answer) or {}
    access, fresh = document.get("access_token"), document.get("refresh_token")
    if not all(isinstance(each, str) and fit_for_header(each) for each in (access, fresh)):
        raise BadAnswer("the answer holds no token pair", **answer.facts(outcome_unknown=True, retryable=True))
    return Tokens(str(access), str(fresh), _seconds(document.get("expires_in")))


def _seconds(value: Any) -> float:
    """Seconds of a life that can be one; for all else, the documented one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value <= LONGEST_LIFE else ACCESS_LIFE


def _place(transport: Transport, base_url: str, path: str, headers: dict[str, str], secret: str) -> Place:
    answer = transport.send("GET", path, base_url.rstrip("/") + path, transport.headers(headers))
    if not 200 <= answer.status < 300:
        raise error_of(answer, secret)
    document = read(answer) or {}
    number, subdomain = document.get("id"), document.get("subdomain")
    if not isinstance(number, int) or not isinstance(subdomain, str):
        raise BadAnswer("the answer names no account", **answer.facts())
    return Place(number, subdomain.lower())


Question = Callable[[], Place]


def first_place(*questions: Question) -> Place | None:
    """The first answer; None when nobody knows. What concerns every account (a stop, a pause) is raised.

    A plain 403 of an address that is not the account's own says nothing of the account.
    """
    for ask in questions:
        try:
            return ask()
        except (Unauthorised, NotFound, BadAnswer, Validation, Forbidden, IpBlocked, ServerError, NetworkError):
            continue
    return None
