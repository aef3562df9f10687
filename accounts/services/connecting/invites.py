"""Invite links: a branch's own administrator connects one account, without a login here (signed, once, revocable)."""

import logging
from collections.abc import Collection, Iterable
from datetime import timedelta
from smtplib import SMTPException
from urllib.parse import urlsplit

from django.core import signing
from django.core.mail import BadHeaderError, send_mail
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts import conf
from accounts.actors import Actor
from accounts.models import (
    NEEDS_CONNECTING,
    RELATED_INTEGRATION_SECRETS,
    RELATED_SECRETS,
    SECRETS,
    Account,
    AccountEvent,
    Integration,
    Invite,
    InviteState,
)
from accounts.services import events, queue
from accounts.services.connecting.attempts import CannotConnect, check_integration

logger = logging.getLogger(__name__)

SALT = "accounts.invite"
LIFE = timedelta(days=14)
MAILS_PER_TASK = 20
TASK = "accounts.tasks.send_invites"  # by name: tasks import services, not the reverse


def needing_connection() -> QuerySet[Account]:
    """Returns the accounts that only a person in Kommo can connect."""
    return for_page(Account.objects.filter(NEEDS_CONNECTING))


def chosen_accounts(ids: Collection[int]) -> QuerySet[Account]:
    return for_page(Account.objects.filter(pk__in=ids))


def for_page(accounts: QuerySet[Account]) -> QuerySet[Account]:
    """Loads the accounts with what the pages show, and without secrets."""
    return accounts.select_related("group", "integration").defer(*SECRETS, *RELATED_INTEGRATION_SECRETS)


def usable() -> Q:
    """Returns the condition on invites that can still be used."""
    return Q(used_at=None, withdrawn_at=None, expires_at__gt=timezone.now())


def invite(account: Account, integration: Integration | None, *, by: Actor | None) -> Invite:
    """Returns the account's open invite for this integration, or a new one: links that were sent before stay good.

    Raises CannotConnect when the account cannot be connected with it.
    """
    integration = check_integration(account, integration)
    with transaction.atomic():
        Account.objects.select_for_update().only("pk").get(pk=account.pk)
        known = Invite.objects.filter(usable(), account=account, integration=integration).first()
        if known is not None:
            known.account, known.integration = account, integration
            return known
        new = Invite.objects.create(
            account=account,
            integration=integration,
            created_by=by.user if by else None,
            expires_at=timezone.now() + LIFE,
        )
        Account.objects.filter(pk=account.pk, integration=None).update(integration=integration)
        events.note(account.pk, AccountEvent.Code.INVITED, by=by)
    return new


def invite_all(
    accounts: Iterable[Account], fallback: Integration | None, *, by: Actor | None
) -> tuple[list[Invite], list[CannotConnect]]:
    """Invites each account, and says why some got no invite; `fallback` is for accounts without an integration."""
    new, problems = [], []
    for account in accounts:
        try:
            new.append(invite(account, account.integration or fallback, by=by))
        except CannotConnect as problem:
            problems.append(problem)
    return new, problems


def link(invite: Invite) -> str:
    """Returns the whole address. Its host is that of the redirect URI: there the consent's answer has to find the
    browser."""
    parts = urlsplit(invite.integration.redirect_uri)
    token = signing.Signer(salt=SALT).sign(f"{invite.pk}-{_birth(invite)}")
    return f"{parts.scheme}://{parts.netloc}{reverse('accounts:invite', args=[token])}"


def _birth(invite: Invite) -> str:
    """Tells the invite from one with the same number in another database, or in a restored one."""
    return str(round(invite.created_at.timestamp() * 1000))


def read(token: str) -> Invite:
    """Returns the invite of a link that may still be used; raises CannotConnect."""
    remedy = _("Ask the person who sent it for a new link.")
    try:
        number, _dash, birth = signing.Signer(salt=SALT).unsign(token).partition("-")
    except signing.BadSignature as error:
        raise CannotConnect("bad_invite", _("This invite link is not complete."), remedy) from error
    stored = (
        Invite.objects.select_related("account__group", "integration")
        .defer(*RELATED_SECRETS, *RELATED_INTEGRATION_SECRETS)
        .filter(pk=number)
        .first()
    )
    if stored is not None and _birth(stored) != birth:
        stored = None
    state = stored.state(timezone.now()) if stored else InviteState.WITHDRAWN
    if stored is None or state == InviteState.WITHDRAWN:
        raise CannotConnect("invite_gone", _("This invite link was withdrawn."), remedy)
    if state == InviteState.USED:
        thanks = _("If you connected the account, there is nothing more to do.")
        raise CannotConnect("invite_used", _("This invite link was used already."), thanks, invite=stored)
    if state == InviteState.EXPIRED:
        raise CannotConnect("invite_expired", _("This invite link has expired."), remedy)
    return stored


def withdraw(invites: QuerySet[Invite]) -> int:
    """Withdraws the links that could still be used; returns their number."""
    return invites.filter(usable()).update(withdrawn_at=timezone.now())


# -- by e-mail --


def ask_for_mails(invites: Iterable[Invite]) -> int:
    """Stores to whom, and in which language, each link goes, and leaves the sending to the workers.

    Returns how many have an address.
    """
    addressed = [each for each in invites if each.account.contact_email]
    for each in addressed:
        each.email, each.sent_at, each.send_error = each.account.contact_email, None, ""
        each.language = translation.get_language() or ""
    Invite.objects.bulk_update(addressed, ["email", "language", "sent_at", "send_error"])
    queue_mails(addressed)
    return len(addressed)


def queue_mails(invites: Iterable[Invite]) -> None:
    ids = [each.pk for each in invites]
    for at in range(0, len(ids), MAILS_PER_TASK):
        queue.send(TASK, ids[at : at + MAILS_PER_TASK])


def unsent() -> QuerySet[Invite]:
    """Returns the invites whose e-mail was asked for, and which no worker has taken up."""
    return Invite.objects.filter(usable(), sent_at=None, send_error="").exclude(email="").only("pk")


def send_mails(invite_ids: Collection[int]) -> int:
    """Sends each invite that is not sent yet and can still be used; one that was not sent has the reason on its row.

    Returns how many were sent.
    """
    waiting = Invite.objects.filter(usable(), pk__in=list(invite_ids), sent_at=None).exclude(email="")
    sent = 0
    for invite in waiting.select_related("account", "integration"):
        row = Invite.objects.filter(pk=invite.pk)
        context = {"invite": invite, "account": invite.account, "link": link(invite)}
        with translation.override(invite.language or conf.language()):
            subject = _("Please connect %(account)s") % {"account": invite.account}
            body = render_to_string("emails/invite.txt", context)
        try:
            send_mail(" ".join(subject.split()), body, None, [invite.email])
        except (SMTPException, OSError, BadHeaderError) as error:
            logger.warning("the invite of %s was not sent: %s", invite.account.subdomain, type(error).__name__)
            row.update(send_error=f"{type(error).__name__}: {error}"[:200])
        else:
            row.update(sent_at=timezone.now(), send_error="")
            sent += 1
    return sent
