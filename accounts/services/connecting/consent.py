"""From the code that Kommo's consent page gave to the stored pair: of the right account, or not at all."""

import logging
from dataclasses import replace

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.kommo import oauth
from accounts.kommo.client import KommoClient
from accounts.kommo.errors import KommoError
from accounts.kommo.oauth import Tokens
from accounts.kommo.retry import Policy
from accounts.kommo.tokens import FixedToken
from accounts.kommo.transport import Transport
from accounts.models import Account, AccountEvent, ConnectAttempt, Invite
from accounts.services import events, identity
from accounts.services.connecting.attempts import CannotConnect, ended
from accounts.services.connecting.invites import usable
from accounts.services.credentials import token_pairs
from accounts.services.credentials.clients import suspicion_for
from accounts.services.credentials.transports import transport_for
from accounts.services.health.probe import Probe, identify, with_rights
from accounts.services.health.store import conclude
from accounts.services.subdomains import subdomain_of_referer

logger = logging.getLogger(__name__)

TIMEOUT = (5.0, 15.0)  # seconds; somebody waits before a browser
POLICY = Policy(attempts=2, max_wait=5)


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
        if Account.objects.filter(pk=account.pk).exists():
            events.note(account.pk, AccountEvent.Code.REFUSED, problem.message, by=attempt.user)
        raise
    account.refresh_from_db()
    conclude(account, found)
    account.refresh_from_db()
    return account


def _refused(attempt: ConnectAttempt, code: str, message: str, remedy: str = "") -> CannotConnect:
    problem = ended(attempt, code, message)
    problem.remedy = remedy or problem.remedy
    return problem


def _exchange(attempt: ConnectAttempt, transport: Transport, code: str) -> Probe:
    """Gets the new tokens, asks the account itself whose they are, and stores them if they are the right one's."""
    suspicion = suspicion_for(attempt.account, transport)
    try:
        tokens = oauth.exchange_code(transport, token_pairs.keys_of(attempt.integration), code)
        client = KommoClient(
            transport, FixedToken(tokens.access_token), policy=POLICY, read_only=True, suspicion=suspicion
        )
        found = identify(client)
    except KommoError as met:
        error = suspicion.judge(met, "")
        facts = {"account": transport.account, "detail": error.detail.rstrip(".")}
        message = _("%(account)s: Kommo answered: %(detail)s.") % facts
        raise _refused(attempt, error.code, message, _exchange_remedy(error)) from error
    _check_identity(attempt, found)
    _store(attempt, tokens, found, transport.account)
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
    return events.translated(error.remedy)


def _check_identity(attempt: ConnectAttempt, found: Probe) -> None:
    """The account that answered must be the expected one: by its id, or, met for the first time, by its subdomain."""
    account = attempt.account
    choose = _("On Kommo's page choose %(subdomain)s. Nothing was stored.") % {"subdomain": account.subdomain}
    if found.kommo_id is None:
        raise _refused(attempt, "bad_answer", _("Kommo's answer names no account id."))
    if not identity.is_expected(account, found.kommo_id, found.subdomain):
        message = _("%(found)s was chosen on Kommo's page; this is %(account)s.") % {
            "found": found.subdomain or found.kommo_id,
            "account": account.subdomain,
        }
        raise _refused(attempt, "wrong_account", message, choose)
    other = identity.other_entry(account, found.kommo_id)
    if other is not None:
        message = _("This Kommo account is already here as %(other)s.") % {"other": other.subdomain}
        raise _refused(attempt, "wrong_account", message, _("Delete one of the two entries."))


def _store(attempt: ConnectAttempt, tokens: Tokens, found: Probe, subdomain: str) -> None:
    """Pair, identity, a changed subdomain and the use of the invite: all in one commit, or none of it.

    `subdomain` is where the account has answered.
    """
    account = attempt.account
    changes = {"kommo_id": found.kommo_id, "token": ""}  # one way in: an older long-lived token is not kept
    if subdomain != account.subdomain:
        changes["subdomain"] = subdomain
    try:
        with transaction.atomic():
            if not Account.objects.select_for_update().filter(pk=account.pk).exists():
                raise _refused(attempt, "not_found", _("This account was deleted here meanwhile."))
            _use_invite(attempt)
            Account.objects.filter(pk=account.pk).update(**changes)
            token_pairs.store(account, attempt.integration, tokens)
            if "subdomain" in changes:
                events.note_renamed(account.pk, subdomain, account.subdomain, by=attempt.user)
            events.note(account.pk, AccountEvent.Code.CONNECTED, _how(attempt), by=attempt.user)
    except IntegrityError as error:
        message = _("Another entry has this subdomain or this Kommo account.")
        raise _refused(attempt, "wrong_account", message, _("Delete one of the two entries.")) from error
    except OperationalError as error:
        raise _refused(attempt, "internal", _("The database was too busy to store the connection.")) from error


def _how(attempt: ConnectAttempt) -> str:
    integration = {"name": attempt.integration.name}
    if attempt.invite_id:
        return _("Through an invite link, with the integration %(name)s.") % integration
    return _("With the integration %(name)s.") % integration


def _use_invite(attempt: ConnectAttempt) -> None:
    """The row count names the one who may use it: an invite that was revoked or used meanwhile connects nobody."""
    if attempt.invite_id is None:
        return
    if not Invite.objects.filter(usable(), pk=attempt.invite_id).update(used_at=timezone.now()):
        remedy = _("Ask whoever sent it for a new one.")
        raise _refused(attempt, "invite_gone", _("This invite link is not valid any more."), remedy)
