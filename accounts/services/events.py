"""Records what happened to an account's connection, for whoever asks later."""

import logging

from django.utils.translation import gettext as _

from accounts import conf
from accounts.actors import Actor
from accounts.kommo.plain_403 import ADDRESS
from accounts.kommo.texts import storable
from accounts.models import Account, AccountEvent

logger = logging.getLogger(__name__)

Code = AccountEvent.Code
WORRYING = frozenset({Code.RECONNECT, Code.DISCONNECTED, Code.REFUSED, Code.EXPIRES})
MESSAGE_LENGTH = 500


def note(account_id: int, code: AccountEvent.Code, message: str = "", *, by: Actor | None = None) -> AccountEvent:
    """Stores one event, and logs it; `message` never holds a secret."""
    event = AccountEvent.objects.create(
        account_id=account_id, code=code, message=storable(message)[:MESSAGE_LENGTH], by=by.user if by else None
    )
    subdomain = Account.objects.filter(pk=account_id).values_list("subdomain", flat=True).first()
    level = logging.WARNING if code in WORRYING else logging.INFO
    logger.log(level, "account %s: %s. %s", subdomain, code.value, message, extra={"account": account_id})
    return event


def with_remedy(message: str, remedy: str) -> str:
    """Joins what happened and what to do about it into one text; translates `remedy`; either may be empty."""
    return " ".join(part for part in (message and message.rstrip(".") + ".", translated(remedy)) if part)


def translated(remedy: str) -> str:
    """Translates the remedy of an error, which is stored in English; our outgoing address in it is a placeholder."""
    address = conf.outgoing_address()
    text = remedy.replace(address, ADDRESS) if address else remedy
    return _(text).replace(ADDRESS, address) if text else ""


def note_renamed(account_id: int, new: str, old: str, *, by: Actor | None = None) -> None:
    """Records that the account has another subdomain in Kommo."""
    message = _("The account is %(new)s now; it was %(old)s.") % {"new": new, "old": old}
    event = note(account_id, Code.RENAMED, message, by=by)
    AccountEvent.objects.filter(pk=event.pk).update(former_subdomain=old)
