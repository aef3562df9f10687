"""Stores long-lived tokens, and makes the client of an account from what is stored."""

from datetime import UTC, datetime
from functools import partial

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_noop

from accounts import conf
from accounts.actors import Actor
from accounts.kommo import token_claims
from accounts.kommo.client import DEFAULT_POLICY, Gate, KommoClient
from accounts.kommo.errors import KommoError
from accounts.kommo.failure_counter import FailureCounter
from accounts.kommo.pacing import Slots
from accounts.kommo.plain_403 import IpNotAllowed, Plain403Check
from accounts.kommo.retry import Policy
from accounts.kommo.stopping import Stop
from accounts.kommo.transport import Transport
from accounts.models import Account, AccountEvent, TokenPair
from accounts.services import events
from accounts.services.credentials import token_pairs
from accounts.services.credentials.other_accounts import others_answer
from accounts.services.credentials.relocation import Locator
from accounts.services.credentials.token_sources import (
    NOT_CONNECTED,
    UNREADABLE,
    CredentialProblem,
    LongLivedToken,
    OAuthTokens,
)
from accounts.services.credentials.transports import transport_for

LONGEST_SECRET = 8192
REPLACED = gettext_noop("A long-lived token replaced the OAuth connection.")


def token_expiry(token: str) -> datetime | None:
    """Returns the end that the token itself names, unverified, for display; None: it names none (docs/kommo.md 1.4)."""
    seconds = token_claims.token_expiry(token)
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def can_be_secret(text: str) -> bool:
    """Returns False for what no token or secret is: several words, other than printable ASCII, endless."""
    return text.isascii() and text.isprintable() and " " not in text and len(text) <= LONGEST_SECRET


def store_token(account: Account, token: str) -> None:
    """Puts a new long-lived token into `account` (not yet saved); what was known of the old one is forgotten."""
    account.token = token
    account.credential_kind = Account.CredentialKind.LONG_LIVED
    account.token_expires_at = token_expiry(token)
    account.warned_days = None
    forget_health(account)


def give_up_pair(account_id: int, *, by: Actor | None = None) -> None:
    """Forgets the pair of an account whose long-lived token was stored: it takes the place of a consent."""
    if TokenPair.objects.filter(pk=account_id).exclude(refresh_token="").exists():
        token_pairs.forget(account_id)
        events.note(account_id, AccountEvent.Code.CONNECTED, REPLACED, by=by)


def forget_health(account: Account) -> None:
    """Turns the health back to "not checked yet" (not yet saved): the token or the address is another now."""
    account.health = Account.Health.UNKNOWN
    account.health_reason = ""
    account.checked_at = None


def plain_403_check_for(account: Account, transport: Transport) -> Plain403Check:
    """Returns the judge of a plain 403 of `account`; the other accounts that it may ask are looked up only then."""
    return Plain403Check(
        transport,
        partial(others_answer, account, transport.pacer.stop),
        refused_before=account.health == Account.Health.IP_NOT_ALLOWED,
        remedy=IpNotAllowed.remedy_for(conf.outgoing_address()),
    )


def tokens_for(account: Account, transport: Transport) -> OAuthTokens:
    """Returns the token source of an account that is connected by OAuth."""
    return OAuthTokens(account.pk, transport, Locator(account, transport), plain_403_check_for(account, transport))


def _token_source(account: Account, transport: Transport) -> OAuthTokens | LongLivedToken:
    """Returns what gives the account its access token.

    Raises CredentialProblem when no token is stored, KommoError when no key of ours opens it.
    """
    if account.uses_oauth:
        return tokens_for(account, transport)
    try:
        token = str(account.token)
    except ImproperlyConfigured as error:
        raise KommoError(str(error), account=account.subdomain, code="internal", remedy=UNREADABLE) from error
    if not token:
        raise CredentialProblem(account.subdomain, NOT_CONNECTED if account.integration_id else "")
    return LongLivedToken(token, Locator(account, transport))


def client_for(
    account: Account,
    *,
    read_only: bool | None = None,
    gate: Gate | None = None,
    others: frozenset[int] = frozenset(),
    stop: Stop | None = None,
    slots: Slots | None = None,
    policy: Policy = DEFAULT_POLICY,
    failures: FailureCounter | None = None,
) -> KommoClient:
    """Returns a client of `account`, which must be loaded with its secrets: nothing is asked of the database here.

    A master's client is always read-only, unless a `gate` lets through what was approved for it, write by write:
    the one way to write a master. `read_only` is for slaves (None: may write); `stop` is shared by clients that have
    to stop together, `failures` is what is known of its server; `others` are Kommo ids that the account cannot
    have. Raises CredentialProblem when no token is stored, KommoError when no key of ours opens it.
    """
    is_master = account.role == Account.Role.MASTER
    if is_master and read_only is False:
        raise ValueError("the master is never written, except through a gate")
    if gate is not None and (not is_master or read_only is not None):
        raise ValueError("a gate is for writing a master")
    transport = transport_for(account, stop=stop, slots=slots)
    tokens = _token_source(account, transport)
    return KommoClient(
        transport,
        tokens,
        account_id=account.kommo_id,
        others=others,
        policy=policy,
        read_only=(is_master and gate is None) or bool(read_only),
        gate=gate,
        locate=tokens.locate,
        plain_403_check=plain_403_check_for(account, transport),
        failures=failures,
    )
