"""Judges what an answer of Kommo, or a refusal, says about an account's connection; nothing is stored here."""

from collections.abc import Mapping
from dataclasses import dataclass

from accounts.kommo.errors import GrantRefused, KommoError, NotFound
from accounts.models import HAS_LIVE_CREDENTIAL, HAS_PAIR, HEALTH_NEEDS_CONNECTING, Account
from accounts.services import events
from accounts.services.credentials.token_sources import NOT_CONNECTED, CredentialProblem

Health = Account.Health
RunError = KommoError | Mapping[str, str]

# Reason codes that tell something about the connection; with any other one, Kommo did answer.
HEALTH_OF_CODE: dict[str, Account.Health] = {
    "unauthorised": Health.UNAUTHORISED,
    "token_expired": Health.TOKEN_EXPIRED,
    "token_revoked": Health.TOKEN_REVOKED,
    "wrong_account": Health.WRONG_ACCOUNT,
    "not_found": Health.NOT_FOUND,
    "unpaid": Health.UNPAID,
    "forbidden": Health.NOT_ADMIN,
    "ip_blocked": Health.IP_BLOCKED,
    "ip_not_allowed": Health.IP_NOT_ALLOWED,
    "unreachable": Health.UNREACHABLE,
    "rate_limited": Health.ERROR,
    "bad_answer": Health.ERROR,
    "server_error": Health.ERROR,
}
# The account was not asked, or we failed ourselves: nothing is learned about the connection.
SAYS_NOTHING = frozenset({"paused", "busy", "cancelled", "internal", "guard", "stale_plan", "needs_review"})


@dataclass(frozen=True)
class Verdict:
    """A health, what happened, and what to do about it; both empty when connected."""

    health: Account.Health
    message: str = ""
    remedy: str = ""

    @property
    def reason(self) -> str:
        return events.with_remedy(self.message, self.remedy)


def of_check(error: KommoError) -> Verdict:
    """Returns the verdict on a check that ended with `error`."""
    if isinstance(error, CredentialProblem):
        return Verdict(Health.NO_TOKEN, remedy=error.remedy)
    return Verdict(_health_of(error, error.code) or Health.ERROR, error.detail, error.remedy)


def of_run(error: RunError | None) -> Verdict | None:
    """Returns the verdict on a run that ended with `error` (None: well); None when it shows nothing."""
    if isinstance(error, KommoError):
        code, message, remedy = error.code, error.detail, error.remedy
    else:
        code, message, remedy = ((error or {}).get(name, "") for name in ("code", "message", "remedy"))
    if code in SAYS_NOTHING:
        return None
    health = _health_of(error, code) or Health.CONNECTED
    return Verdict(health) if health == Health.CONNECTED else Verdict(health, message, remedy)


def _health_of(error: RunError | None, code: str) -> Account.Health | None:
    """Returns None when the code tells nothing about the connection."""
    if isinstance(error, NotFound) and not error.no_account:
        return Health.ERROR  # an item was gone, not the account
    return HEALTH_OF_CODE.get(code)


def by_own_rows(account_id: int, verdict: Verdict) -> Verdict:
    """Returns a refusal in the words of our own rows.

    The public reason codes tell neither an account without a token from a refused one, nor a token from a pair; and
    what Kommo said of an uninstalled integration says more than the 401 that follows.
    """
    if verdict.health not in HEALTH_NEEDS_CONNECTING:
        return verdict
    rows = Account.objects.filter(pk=account_id).annotate(is_live=HAS_LIVE_CREDENTIAL, has_pair=HAS_PAIR)
    names = ("credential_kind", "health", "health_reason", "pair__failure", "is_live", "has_pair")
    row = rows.values_list(*names, named=True).first()
    if row is None:
        return verdict
    is_oauth = row.credential_kind == Account.CredentialKind.OAUTH
    if row.health == Health.DISCONNECTED and not (is_oauth and row.is_live):
        return Verdict(Health.DISCONNECTED, row.health_reason)
    if not is_oauth:
        return verdict if row.is_live else Verdict(Health.NO_TOKEN, verdict.message, verdict.remedy)
    if not row.has_pair:
        return Verdict(Health.NO_TOKEN, remedy=NOT_CONNECTED)
    # Only a person can replace the pair.
    failure = (not row.is_live and row.pair__failure) or {}
    remedy = failure.get("remedy") or GrantRefused.remedies[GrantRefused.code]
    return Verdict(Health.RECONNECT, failure.get("message") or verdict.message, remedy)
