"""The way of one account through Kommo's consent page, from the one-time state to the stored pair."""

import hashlib
import logging
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import conf
from accounts.kommo import oauth
from accounts.kommo.client import KommoClient
from accounts.kommo.errors import KommoError
from accounts.kommo.oauth import Tokens
from accounts.kommo.retry import Policy
from accounts.kommo.tokens import FixedToken
from accounts.kommo.transport import Transport
from accounts.models import Account, AccountEvent, ConnectAttempt, Integration, Invite
from accounts.services import events, pairs
from accounts.services.credentials import transport_for
from accounts.services.health import conclude
from accounts.services.probing import Probe, identify, with_rights
from accounts.services.subdomains import subdomain_of_referer

logger = logging.getLogger(__name__)

STATE_LIFE = timedelta(minutes=20)  # as long as a code is good (kommo-api.md section 1.2)
TIMEOUT = (5.0, 15.0)  # seconds; somebody waits before a browser
POLICY = Policy(attempts=2, max_wait=5)


class CannotConnect(Exception):
    """The account was not connected. `code`, a sentence, and what to do; `account` and `invite` as far as known."""

    def __init__(
        self,
        code: str,
        message: str,
        remedy: str,
        *,
        account: Account | None = None,
        invite: Invite | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy
        self.account, self.invite = account, invite


@dataclass(frozen=True)
class Begun:
    """A way that was begun: where to send the browser, and the hash that it has to bring back."""

    url: str
    state_hash: str


def begin(account: Account, *, user: User | None = None, invite: Invite | None = None) -> Begun:
    """A new one-time state, bound to the account and to `user`, or to the browser that holds `invite`.

    Raises CannotConnect when the account has no integration that could be asked for.
    """
    integration = invite.integration if invite else account.integration
    check_integration(account, integration)
    assert integration is not None
    state = secrets.token_urlsafe(32)
    attempt = ConnectAttempt.objects.create(
        state_hash=_hashed(state),
        account=account,
        integration=integration,
        user=user,
        invite=invite,
        expires_at=timezone.now() + STATE_LIFE,
    )
    # post_message: the answer comes into the window that asked (kommo-api.md section 1.2).
    query = urlencode({"client_id": integration.client_id, "state": state, "mode": "post_message"})
    return Begun(f"{conf.oauth_url()}?{query}", attempt.state_hash)


def check_integration(account: Account, integration: Integration | None) -> None:
    """Raises CannotConnect unless `account` can be connected with it."""
    if integration is None:
        raise CannotConnect(
            "no_integration",
            _("%(account)s has no integration to connect with.") % {"account": account},
            _("Choose one on the account's page; make it first under Integrations."),
            account=account,
        )
    if not integration.client_secret:
        raise CannotConnect(
            "no_secret",
            _("The integration %(name)s has no secret key.") % {"name": integration},
            _("Copy it from Kommo (Keys and scopes of the integration) into the integration's page."),
            account=account,
        )
    other = other_account(integration, account)
    if other is not None:
        raise CannotConnect(
            "private_integration",
            _("The integration %(name)s is private and already serves %(other)s.")
            % {"name": integration, "other": other},
            _("Make a private integration in each account, or mark this one as public if it is."),
            account=account,
        )


def other_account(integration: Integration, account: Account) -> Account | None:
    """The other account that a private integration serves (kommo-api.md section 1.1: one account only)."""
    if integration.is_public:
        return None
    return integration.accounts.exclude(pk=account.pk).only("name", "subdomain").first()


def take(state: str, *, user: User | None, known: Collection[str]) -> ConnectAttempt:
    """The attempt that this state belongs to, used up from now on.

    `user` is who is logged in, `known` the hashes that this browser was given. Raises CannotConnect.
    """
    attempt = (
        ConnectAttempt.objects.select_related("account", "integration", "user", "invite")
        .filter(state_hash=_hashed(state))
        .first()
    )
    if attempt is None:
        raise CannotConnect(
            "unknown_state",
            _("This answer belongs to nothing that was begun here."),
            _("Open the account in KommoSync and press Connect; an integration cannot be connected from Kommo's side."),
        )
    _check_owner(attempt, user, known)
    if attempt.expires_at <= timezone.now():
        raise _gone(attempt, "expired_state", _("More than 20 minutes have passed since it was begun."))
    if not ConnectAttempt.objects.filter(pk=attempt.pk, used_at=None).update(used_at=timezone.now()):
        raise _gone(attempt, "used_state", _("This answer was used before."))
    return attempt


def _check_owner(attempt: ConnectAttempt, user: User | None, known: Collection[str]) -> None:
    """A state that somebody else was given says nothing about this browser: it could be planted."""
    mine = attempt.user == user if attempt.user_id else attempt.state_hash in known
    if not mine:
        raise CannotConnect(
            "foreign_state",
            _("Somebody else began this, or this browser is logged out."),
            _("Log in with the user who began, in the same browser, and press Connect again.")
            if attempt.user_id
            else _("Open the invite link again, in this browser."),
        )


def _gone(attempt: ConnectAttempt, code: str, message: str) -> CannotConnect:
    remedy = _("Open the invite link again.") if attempt.invite_id else _("Press Connect again.")
    return CannotConnect(code, message, remedy, account=attempt.account, invite=attempt.invite)


def _hashed(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()


def denied(attempt: ConnectAttempt, error: str) -> CannotConnect:
    """What it means that Kommo sends somebody back without a code."""
    if error == "access_denied":
        message = _("Access was denied on Kommo's page, so nothing was connected.")
    else:
        message = _("Kommo's page ended with the error %(error)s.") % {"error": error[:60] or "-"}
    events.note(attempt.account_id, AccountEvent.Code.REFUSED, message, by=attempt.user)
    return _gone(attempt, "denied", message)


def finish(attempt: ConnectAttempt, *, code: str, referer: str) -> Account:
    """Exchanges the code, makes sure whose account answers, stores the pair; gives the connected account.

    Nothing is sent anywhere before `referer` names an address of KOMMO_URL_TEMPLATE. Raises CannotConnect.
    """
    account = attempt.account
    try:
        subdomain = subdomain_of_referer(referer, account.subdomain)
        if subdomain is None:
            raise _refused(attempt, "foreign_host", _("The answer names an address that is not Kommo's."))
        with transport_for(Account(subdomain=subdomain), timeout=TIMEOUT) as transport:
            found = _exchange(attempt, transport, code)
    except CannotConnect as problem:
        logger.warning("account %s was not connected (%s)", account.subdomain, problem.code)
        events.note(account.pk, AccountEvent.Code.REFUSED, problem.message, by=attempt.user)
        raise
    account.refresh_from_db()
    conclude(account, found)
    account.refresh_from_db()
    return account


def _refused(attempt: ConnectAttempt, code: str, message: str, remedy: str = "") -> CannotConnect:
    problem = _gone(attempt, code, message)
    problem.remedy = remedy or problem.remedy
    return problem


def _exchange(attempt: ConnectAttempt, transport: Transport, code: str) -> Probe:
    """Gets the new tokens, asks the account itself whose they are, and stores them if they are the right one's."""
    try:
        tokens = oauth.exchange_code(transport, pairs.keys_of(attempt.integration), code)
        client = KommoClient(transport, FixedToken(tokens.access_token), policy=POLICY, read_only=True)
        found = identify(client)
    except KommoError as error:
        facts = {"account": transport.account, "detail": error.detail.rstrip(".")}
        message = _("%(account)s: Kommo answered: %(detail)s.") % facts
        raise _refused(attempt, error.code, message, _exchange_remedy(error)) from error
    _check_identity(attempt, found)
    _store(attempt, tokens, found)
    try:
        return with_rights(client, found)
    except KommoError as error:  # connected it is all the same
        return replace(found, error=error)


def _exchange_remedy(error: KommoError) -> str:
    if error.status in (400, 401):
        return _(
            "Press Connect again (a code is good for 20 minutes, once); if it stays, compare id, secret key and "
            "redirect URI of the integration with Kommo."
        )
    return _(error.remedy)


def _check_identity(attempt: ConnectAttempt, found: Probe) -> None:
    """The account that answered must be the expected one: by its id, or, met for the first time, by its subdomain."""
    account = attempt.account
    choose = _("On Kommo's page choose %(subdomain)s. Nothing was stored.") % {"subdomain": account.subdomain}
    if found.kommo_id is None:
        raise _refused(attempt, "bad_answer", _("Kommo's answer names no account id."))
    expected = account.kommo_id == found.kommo_id if account.kommo_id else found.subdomain == account.subdomain
    if not expected:
        message = _("%(found)s was chosen on Kommo's page; this is %(account)s.") % {
            "found": found.subdomain or found.kommo_id,
            "account": account.subdomain,
        }
        raise _refused(attempt, "wrong_account", message, choose)
    other = Account.objects.filter(kommo_id=found.kommo_id).exclude(pk=account.pk).only("subdomain").first()
    if other is not None:
        message = _("This Kommo account is already here as %(other)s.") % {"other": other.subdomain}
        raise _refused(attempt, "wrong_account", message, _("Delete one of the two entries."))


def _store(attempt: ConnectAttempt, tokens: Tokens, found: Probe) -> None:
    """Pair, identity, a changed subdomain and the use of the invite: all in one commit, or none of it."""
    account = attempt.account
    changes = {"kommo_id": found.kommo_id, "token": ""}  # one way in: an older long-lived token is not kept
    if found.subdomain and found.subdomain != account.subdomain:
        changes["subdomain"] = found.subdomain
    try:
        with transaction.atomic():
            _use_invite(attempt)
            Account.objects.filter(pk=account.pk).update(**changes)
            pairs.keep(account, attempt.integration, tokens)
            if "subdomain" in changes:
                message = _("The account is %(new)s now; it was %(old)s.")
                facts = {"new": found.subdomain, "old": account.subdomain}
                events.note(account.pk, AccountEvent.Code.RENAMED, message % facts, by=attempt.user)
            events.note(account.pk, AccountEvent.Code.CONNECTED, _how(attempt), by=attempt.user)
    except IntegrityError as error:
        message = _("Another entry has this subdomain or this Kommo account.")
        raise _refused(attempt, "wrong_account", message, _("Delete one of the two entries.")) from error


def _how(attempt: ConnectAttempt) -> str:
    integration = {"name": attempt.integration.name}
    if attempt.invite_id:
        return _("Through an invite link, with the integration %(name)s.") % integration
    return _("With the integration %(name)s.") % integration


def _use_invite(attempt: ConnectAttempt) -> None:
    """The row count names the one who may use it: an invite that was revoked or used meanwhile connects nobody."""
    if attempt.invite_id is None:
        return
    now = timezone.now()
    usable = Invite.objects.filter(pk=attempt.invite_id, used_at=None, revoked_at=None, expires_at__gt=now)
    if not usable.update(used_at=now):
        remedy = _("Ask whoever sent it for a new one.")
        raise _refused(attempt, "invite_gone", _("This invite link is not valid any more."), remedy)
