"""Warns of connections that end soon, or have ended: once each at 30, 7 and 1 days, and once when it is over.

`Account.warned_days` is the last threshold that was warned of, 0 when the end was; a new token empties it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts import expiry
from accounts.kommo.errors import Unauthorised
from accounts.models import HEALTH_NEEDS_CONNECTING, IS_OAUTH, SECRETS, Account, AccountEvent
from accounts.own_words import translated
from accounts.services import events

Health = Account.Health
THRESHOLDS = (expiry.LAST_CALL, expiry.URGENT, expiry.SOON)
OVER = 0
# Kommo's side, or the calendar, has ended these; one that never had a token is no news.
LOST = tuple(health for health in HEALTH_NEEDS_CONNECTING if health != Health.NO_TOKEN)
# The others have their event from where it happened.
EVENT_OF_END = {
    Health.TOKEN_EXPIRED: AccountEvent.Code.EXPIRES,
    Health.TOKEN_REVOKED: AccountEvent.Code.RECONNECT,
    Health.UNAUTHORISED: AccountEvent.Code.RECONNECT,
}
CONNECTION_ENDS = gettext_noop("The connection ends on %(day)s: it could not be renewed. %(why)s")
TOKEN_ENDS = gettext_noop(
    "The token ends on %(day)s. Make a new one in the account and store it, or connect it by OAuth."
)


@dataclass(frozen=True)
class ConnectionWarning:
    """One account, and the sentence about it."""

    account: str
    text: str


@dataclass(frozen=True)
class ConnectionWarnings:
    """The warnings that nobody was given yet."""

    lost: tuple[ConnectionWarning, ...]
    expiring: tuple[ConnectionWarning, ...]

    def __len__(self) -> int:
        return len(self.lost) + len(self.expiring)


def take_warnings(moment: datetime) -> ConnectionWarnings:
    """Returns what has become worth a warning, each thing once, whoever asks; stores them as events of the accounts."""
    # A token that is past its date has expired, unless Kommo took it after that: its date is only what it says.
    past = Account.objects.filter(~IS_OAUTH, token_expires_at__lte=moment).exclude(health__in=HEALTH_NEEDS_CONNECTING)
    past.filter(Q(checked_at=None) | Q(checked_at__lte=F("token_expires_at"))).update(
        health=Health.TOKEN_EXPIRED, health_reason=Unauthorised.remedies["token_expired"]
    )
    Account.objects.filter(warned_days=OVER, health=Health.CONNECTED).update(warned_days=None)
    lost: list[ConnectionWarning] = []
    for account in _without_secrets(Account.objects.filter(health__in=LOST).exclude(warned_days=OVER)):
        if not _claim(account, OVER):
            continue
        code = EVENT_OF_END.get(Health(account.health))
        if code is not None:
            events.note(account.pk, code, account.health_reason)
        text = f"{account.get_health_display()}. {translated(account.health_reason)}".strip()
        lost.append(ConnectionWarning(_label(account), text))
    return ConnectionWarnings(tuple(lost), tuple(_newly_expiring(moment)))


def _newly_expiring(moment: datetime) -> Iterator[ConnectionWarning]:
    """Finds long-lived tokens, and pairs that come near their end because they could not be renewed for weeks."""
    stuck = Q(pair__failure__isnull=False, pair__ended_at=None)
    near = Account.objects.filter(expiry.expiring(moment), ~IS_OAUTH | stuck).order_by("token_expires_at")
    for account in _without_secrets(near).select_related("pair"):
        days = expiry.days_of(account, moment)
        threshold = next(each for each in THRESHOLDS if days <= each)
        known = account.warned_days is not None and account.warned_days <= threshold
        if known or not _claim(account, threshold):
            continue
        facts = {"day": f"{timezone.localtime(account.token_expires_at):%Y-%m-%d}"}
        if account.uses_oauth:
            failure = account.pair.failure or {}
            facts["why"] = events.with_remedy(failure.get("message", ""), failure.get("remedy", ""))
        text = (CONNECTION_ENDS if account.uses_oauth else TOKEN_ENDS) % facts
        events.note(account.pk, AccountEvent.Code.EXPIRES, text)
        yield ConnectionWarning(_label(account), f"{expiry.in_days(days).capitalize()}. {translated(text)}")


def _without_secrets(accounts: QuerySet[Account]) -> QuerySet[Account]:
    return accounts.defer(*SECRETS, "pair__access_token", "pair__refresh_token")


def _claim(account: Account, threshold: int) -> bool:
    """Stores that the warning is given; the row count names the one who gives it."""
    same = Account.objects.filter(pk=account.pk, warned_days=account.warned_days)
    return same.filter(token_expires_at=account.token_expires_at).update(warned_days=threshold) == 1


def _label(account: Account) -> str:
    return f"{account.name} ({account.subdomain})" if account.name else account.subdomain
