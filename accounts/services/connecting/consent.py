"""Turns the code of Kommo's consent page into the stored pair: of the right account, or not at all."""

import logging
from dataclasses import replace

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts import request_counts
from accounts.kommo import oauth
from accounts.kommo.client import KommoClient
from accounts.kommo.errors import KommoError
from accounts.kommo.oauth import Tokens
from accounts.kommo.retry import Policy
from accounts.kommo.tokens import FixedToken
from accounts.kommo.transport import Transport
from accounts.models import Account, AccountEvent, ConnectAttempt, Invite
from accounts.services import events, identity
from accounts.services.connecting.attempts import CannotConnect, ended, who_began
from accounts.services.connecting.invites import usable
from accounts.services.credentials import token_pairs
from accounts.services.credentials.clients import plain_403_check_for
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
            raise ended(attempt, "foreign_host", gettext_noop("The answer names an address that is not Kommo's."))
        with transport_for(Account(subdomain=subdomain), timeout=TIMEOUT) as transport:
            answer = _exchange(attempt, transport, code)
    except CannotConnect as problem:
        logger.warning("account %s was not connected (%s)", account.subdomain, problem.code)
        if Account.objects.filter(pk=account.pk).exists():
            events.note(account.pk, AccountEvent.Code.REFUSED, problem.message, by=who_began(attempt))
        raise
    finally:
        request_counts.flush()
    account.refresh_from_db()
    conclude(account, answer)
    account.refresh_from_db()
    return account


def _exchange(attempt: ConnectAttempt, transport: Transport, code: str) -> Probe:
    """Gets the new tokens, asks the account itself whose they are, and stores them if they are the right one's."""
    plain_403_check = plain_403_check_for(attempt.account, transport)
    try:
        tokens = oauth.exchange_code(transport, token_pairs.keys_of(attempt.integration), code)
        client = KommoClient(
            transport, FixedToken(tokens.access_token), policy=POLICY, read_only=True, plain_403_check=plain_403_check
        )
        answer = identify(client)
    except KommoError as raised:
        error = plain_403_check.diagnose(raised, "")
        facts = {"account": transport.account, "detail": error.detail.rstrip(".")}
        message = gettext_noop("%(account)s: Kommo answered: %(detail)s.") % facts
        remedy = error.remedy
        if error.status in (400, 401):
            remedy = gettext_noop(
                "Press Connect again (a code is good for 20 minutes, once); if it stays, compare id, secret key and "
                "redirect URI of the integration with Kommo."
            )
        raise ended(attempt, error.code, message, remedy) from error
    _check_identity(attempt, answer)
    _store(attempt, tokens, answer, transport.account)
    try:
        return with_rights(client, answer)
    except KommoError as error:  # connected it is all the same
        return replace(answer, error=error)


def _check_identity(attempt: ConnectAttempt, answer: Probe) -> None:
    """Raises CannotConnect unless the account that answered is the expected one, and no other entry of ours."""
    account = attempt.account
    choose = gettext_noop("On Kommo's page choose %(subdomain)s. Nothing was stored.") % {
        "subdomain": account.subdomain
    }
    if answer.kommo_id is None:
        raise ended(attempt, "bad_answer", gettext_noop("Kommo's answer names no account id."))
    if not identity.is_expected(account, answer.kommo_id, answer.subdomain):
        message = gettext_noop("%(found)s was chosen on Kommo's page; this is %(account)s.") % {
            "found": answer.subdomain or answer.kommo_id,
            "account": account.subdomain,
        }
        raise ended(attempt, "wrong_account", message, choose)
    other = identity.other_entry(account, answer.kommo_id)
    if other is not None:
        message = gettext_noop("This Kommo account is already in the list as %(other)s.") % {"other": other.subdomain}
        raise ended(attempt, "wrong_account", message, gettext_noop("Delete one of the two entries."))


def _store(attempt: ConnectAttempt, tokens: Tokens, answer: Probe, subdomain: str) -> None:
    """Stores the pair, the identity, a changed subdomain and the use of the invite: all in one commit, or none of it.

    `subdomain` is where the account has answered.
    """
    account = attempt.account
    changes = {"kommo_id": answer.kommo_id, "token": ""}  # one way in: an older long-lived token is not kept
    if subdomain != account.subdomain:
        changes["subdomain"] = subdomain
    try:
        with transaction.atomic():
            if not Account.objects.select_for_update().filter(pk=account.pk).exists():
                raise ended(
                    attempt, "not_found", gettext_noop("Somebody deleted this account in KommoSync in the meantime.")
                )
            _use_invite(attempt)
            Account.objects.filter(pk=account.pk).update(**changes)
            token_pairs.store(account, attempt.integration, tokens)
            if "subdomain" in changes:
                events.note_renamed(account.pk, subdomain, account.subdomain, by=who_began(attempt))
            by_link = gettext_noop("Through an invite link, with the integration %(name)s.")
            message = by_link if attempt.invite_id else gettext_noop("With the integration %(name)s.")
            message %= {"name": attempt.integration.name}
            events.note(account.pk, AccountEvent.Code.CONNECTED, message, by=who_began(attempt))
    except IntegrityError as error:
        message = gettext_noop("Another entry has this subdomain or this Kommo account.")
        raise ended(attempt, "wrong_account", message, gettext_noop("Delete one of the two entries.")) from error
    except OperationalError as error:
        raise ended(attempt, "internal", gettext_noop("The database was too busy to store the connection.")) from error


def _use_invite(attempt: ConnectAttempt) -> None:
    """Uses up the invite, if there is one. The row count names the one who may: an invite that was revoked or used
    meanwhile connects nobody."""
    if attempt.invite_id is None:
        return
    if not Invite.objects.filter(usable(), pk=attempt.invite_id).update(used_at=timezone.now()):
        remedy = gettext_noop("Ask the person who sent it for a new link.")
        raise ended(attempt, "invite_gone", gettext_noop("This invite link is not valid any more."), remedy)
