"""Records what happened to an account's connection, for whoever asks later."""

import logging

from django.utils.translation import gettext_noop

from accounts.actors import Actor
from accounts.kommo.texts import storable
from accounts.models import Account, AccountEvent

logger = logging.getLogger(__name__)

Code = AccountEvent.Code
WORRYING = frozenset({Code.RECONNECT, Code.DISCONNECTED, Code.REFUSED, Code.EXPIRES})
MESSAGE_LENGTH = 500
NEW_SUBDOMAIN = gettext_noop("The account is %(new)s now; it was %(old)s.")


def note(account_id: int, code: AccountEvent.Code, message: str = "", *, by: Actor | None = None) -> AccountEvent:
    """Stores one event, and logs it; `message` is in English, and never holds a secret."""
    event = AccountEvent.objects.create(
        account_id=account_id, code=code, message=storable(message)[:MESSAGE_LENGTH], by=by.user if by else None
    )
    subdomain = Account.objects.filter(pk=account_id).values_list("subdomain", flat=True).first()
    level = logging.WARNING if code in WORRYING else logging.INFO
    logger.log(level, "account %s: %s. %s", subdomain, code.value, message, extra={"account": account_id})
    return event


def with_remedy(message: str, remedy: str) -> str:
    """Joins what happened and what to do about it into one text; either may be empty."""
    return " ".join(part for part in (message and message.rstrip(".") + ".", remedy) if part)


def note_renamed(account_id: int, new: str, old: str, *, by: Actor | None = None) -> None:
    """Records that the account has another subdomain in Kommo."""
    event = note(account_id, Code.RENAMED, NEW_SUBDOMAIN % {"new": new, "old": old}, by=by)
    AccountEvent.objects.filter(pk=event.pk).update(former_subdomain=old)
