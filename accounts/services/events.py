"""What happened to an account's connection, kept for whoever asks later."""

import logging
from typing import Any

from accounts.models import Account, AccountEvent

logger = logging.getLogger(__name__)

Code = AccountEvent.Code
WORRYING = frozenset({Code.RECONNECT, Code.DISCONNECTED, Code.REFUSED, Code.EXPIRES})
MESSAGE_LENGTH = 500


def note(account_id: int, code: AccountEvent.Code, message: str = "", *, by: Any = None) -> AccountEvent:
    """Keeps one event, and says it in the log; `message` never holds a secret."""
    event = AccountEvent.objects.create(account_id=account_id, code=code, message=message[:MESSAGE_LENGTH], by=by)
    subdomain = Account.objects.filter(pk=account_id).values_list("subdomain", flat=True).first()
    level = logging.WARNING if code in WORRYING else logging.INFO
    logger.log(level, "account %s: %s. %s", subdomain, code.value, message)
    return event
