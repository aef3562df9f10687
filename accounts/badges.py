"""Badges for the health of an account, for the end of its token, and for pauses; syncing adds the states of runs."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts import expiry
from accounts.models import Account, SyncGroup

OK, INFO, WARN, BAD, IDLE = "ok", "info", "warn", "bad", "idle"

HEALTH_TONES: dict[str, str] = {
    **dict.fromkeys(Account.Health.values, BAD),
    Account.Health.CONNECTED.value: OK,
    Account.Health.UNREACHABLE.value: WARN,
    Account.Health.UNKNOWN.value: IDLE,
}


def mark(tone: str, text: object) -> SafeString:
    return format_html('<span class="ks-badge ks-{}">{}</span>', tone, text)


def health(state: str) -> SafeString:
    """Returns the badge of a health."""
    return mark(HEALTH_TONES[state], Account.Health(state).label)


def pause(thing: Account | SyncGroup) -> SafeString | str:
    """Returns the badge of a pause that is on, with its end and behind it its reason; "" for none."""
    if not thing.is_paused_at(timezone.now()):
        return ""
    until = _("paused until %(time)s") % {"time": _moment(thing.paused_until)} if thing.paused_until else ""
    return format_html('<span title="{}">{}</span>', thing.pause_reason, mark(WARN, until or _("paused")))


def pause_in_full(thing: Account | SyncGroup) -> SafeString | str:
    """Returns the badge, who paused it, since when, and why."""
    if not thing.is_paused:
        return "—"
    since = _moment(thing.paused_at) if thing.paused_at else ""
    return format_html(
        '{} <span class="ks-small">{} {}</span> {}', pause(thing), thing.paused_by, since, thing.pause_reason
    )


def _moment(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def expiry_tone(days: int) -> str:
    """Returns the tone for so many `days` (of `expiry.days_of`); "" when the end is far away."""
    if days <= expiry.LAST_CALL:
        return BAD
    if days <= expiry.URGENT:
        return WARN
    return INFO if days <= expiry.SOON else ""


def expires(account: Account, moment: datetime) -> SafeString | str:
    """Renders the end of the account's credential: the words, the date behind them, and a tone when it is near."""
    words, expires_at = expiry.phrase(account, moment), account.token_expires_at
    if not words or expires_at is None:
        return "-"
    tone = expiry_tone(expiry.days_of(account, moment))
    day = date_format(timezone.localtime(expires_at), "DATE_FORMAT")
    look = f"ks-badge ks-{tone}" if tone else "ks-nowrap"
    return format_html('<span class="{}" title="{}">{}</span>', look, day, words)
