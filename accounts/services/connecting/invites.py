"""Invite links: a branch's own administrator connects one account, without a login here (signed, once, revocable)."""

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from functools import partial
from smtplib import SMTPException
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.core import signing
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from accounts.models import HEALTH_NEEDS_CONNECTING, SECRETS, Account, AccountEvent, Integration, Invite
from accounts.services import events
from accounts.services.connecting.attempts import CannotConnect, check_integration

logger = logging.getLogger(__name__)

SALT = "accounts.invite"
LIFE = timedelta(days=14)
MAILS_PER_TASK = 20


def needing_connection() -> QuerySet[Account]:
    """Accounts that only a person in Kommo can connect: never connected by OAuth, or not any more."""
    Kind = Account.CredentialKind
    unwell = Q(health__in=HEALTH_NEEDS_CONNECTING)
    never = Q(credential_kind=Kind.OAUTH, pair=None) | Q(credential_kind=Kind.LONG_LIVED, token="")
    return Account.objects.filter(unwell | never).select_related("group", "integration").defer(*SECRETS)


def usable() -> Q:
    """Invites that still lead somewhere."""
    return Q(used_at=None, revoked_at=None, expires_at__gt=timezone.now())


def invite(account: Account, integration: Integration | None, *, by: User | None) -> Invite:
    """The account's open invite for this integration, or a new one: links that were sent before stay good.

    Raises CannotConnect when the account cannot be connected with it.
    """
    check_integration(account, integration)
    assert integration is not None
    with transaction.atomic():
        Account.objects.select_for_update().only("pk").get(pk=account.pk)
        known = Invite.objects.filter(usable(), account=account, integration=integration).first()
        if known is not None:
            return known
        made = Invite.objects.create(
            account=account,
            integration=integration,
            created_by=by,
            email=account.contact_email,
            expires_at=timezone.now() + LIFE,
        )
        Account.objects.filter(pk=account.pk, integration=None).update(integration=integration)
        events.note(account.pk, AccountEvent.Code.INVITED, account.contact_email, by=by)
    return made


def invite_all(
    accounts: Iterable[Account], fallback: Integration | None, *, by: User | None
) -> tuple[list[Invite], list[CannotConnect]]:
    """An invite for each account, and why some got none; `fallback` is for accounts without an integration."""
    made, problems = [], []
    for account in accounts:
        try:
            made.append(invite(account, account.integration or fallback, by=by))
        except CannotConnect as problem:
            problems.append(problem)
    return made, problems


def link(invite: Invite) -> str:
    """The whole address. Its host is that of the redirect URI: there the consent's answer has to find the browser."""
    parts = urlsplit(invite.integration.redirect_uri)
    return f"{parts.scheme}://{parts.netloc}{reverse('accounts:invite', args=[_token(invite)])}"


def _token(invite: Invite) -> str:
    return signing.Signer(salt=SALT).sign(str(invite.pk))


def read(token: str) -> Invite:
    """The invite of a link that may still be used; raises CannotConnect."""
    remedy = _("Ask whoever sent it for a new one.")
    try:
        number = int(signing.Signer(salt=SALT).unsign(token))
    except (signing.BadSignature, ValueError) as error:
        raise CannotConnect("bad_invite", _("This is not a whole invite link."), remedy) from error
    found = Invite.objects.select_related("account", "integration").filter(pk=number).first()
    if found is None or found.revoked_at:
        raise CannotConnect("invite_gone", _("This invite link was withdrawn."), remedy)
    if found.used_at:
        thanks = _("If you connected the account, there is nothing more to do.")
        raise CannotConnect("invite_used", _("This invite link was used already."), thanks, invite=found)
    if found.expires_at <= timezone.now():
        raise CannotConnect("invite_expired", _("This invite link has expired."), remedy)
    return found


def revoke(invites: QuerySet[Invite]) -> int:
    """Withdraws the links that could still be used; gives their number."""
    return invites.filter(usable()).update(revoked_at=timezone.now())


# -- by e-mail --


def queue_mails(invites: Sequence[Invite]) -> int:
    """Leaves the sending to the workers, once the transaction is committed; gives how many have an address."""
    ids = [each.pk for each in invites if each.email]
    for at in range(0, len(ids), MAILS_PER_TASK):
        part = ids[at : at + MAILS_PER_TASK]
        transaction.on_commit(partial(async_task, "accounts.tasks.send_invites", part, translation.get_language()))
    return len(ids)


def send_mails(invite_ids: Collection[int], language: str) -> int:
    """Sends each invite that can still be used; what was not sent says why on its row. Gives how many were sent."""
    waiting = Invite.objects.filter(usable(), pk__in=list(invite_ids)).select_related("account", "integration")
    with translation.override(language):
        return sum(_send(each) for each in waiting if each.email)


def _send(invite: Invite) -> bool:
    context = {"invite": invite, "account": invite.account, "link": link(invite)}
    subject = _("Please connect %(account)s") % {"account": invite.account}
    body = render_to_string("emails/invite.txt", context)
    rows = Invite.objects.filter(pk=invite.pk)
    try:
        send_mail(" ".join(subject.split()), body, None, [invite.email])
    except (SMTPException, OSError) as error:
        logger.warning("the invite of %s was not sent: %s", invite.account.subdomain, type(error).__name__)
        rows.update(send_error=f"{type(error).__name__}: {error}"[:200])
        return False
    rows.update(sent_at=timezone.now(), send_error="")
    return True
