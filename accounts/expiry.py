"""The end of a connection by itself: finds the accounts that are near it, and puts it into words."""

import math
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import HEALTH_NEEDS_CONNECTING, Account

DAY = timedelta(days=1)
SOON = 30  # days; a pair renews itself every week, so one that comes here is in trouble as well
URGENT = 7
LAST_CALL = 1
NEVER = 10**6  # days, as far as is known


def days_of(account: Account, moment: datetime) -> int:
    """Returns the whole days until the account's credential ends, a part of one counted as one; 0 when it is past."""
    expires_at = account.token_expires_at
    return NEVER if expires_at is None else max(0, math.ceil((expires_at - moment) / DAY))


def expiring(moment: datetime, days: int = SOON) -> Q:
    """Returns the condition on accounts that are connected, as far as is known, and will not be in so many days."""
    near = Q(token_expires_at__gt=moment, token_expires_at__lte=moment + days * DAY)
    return near & ~Q(health__in=HEALTH_NEEDS_CONNECTING)


def expired(moment: datetime) -> Q:
    """Returns the condition on accounts whose credential is past its date, or was called expired by Kommo."""
    return Q(token_expires_at__lte=moment) | Q(health=Account.Health.TOKEN_EXPIRED)


def phrase(account: Account, moment: datetime) -> str:
    """Says in a few words until when the account's credential is good; "" when nobody knows."""
    if account.uses_oauth and account.health in HEALTH_NEEDS_CONNECTING:
        return ""
    if account.token_expires_at is None:
        return ""
    days = days_of(account, moment)
    if account.uses_oauth and days > SOON:
        return _("renews itself")
    return in_days(days)


def in_days(days: int) -> str:
    """Returns a text like "expires in 3 days" or "expired"."""
    return ngettext("expires in %d day", "expires in %d days", days) % days if days else _("expired")
