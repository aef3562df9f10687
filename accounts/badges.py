"""How the health of an account looks; syncing adds the states of runs."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Account

OK, INFO, WARN, BAD, IDLE = "ok", "info", "warn", "bad", "idle"

HEALTH_TONES: dict[str, str] = {
    **dict.fromkeys(Account.Health.values, BAD),
    Account.Health.CONNECTED.value: OK,
    Account.Health.UNREACHABLE.value: WARN,
    Account.Health.UNKNOWN.value: IDLE,
}


def mark(tone: str, text: object) -> SafeString:
    return format_html('<span class="ks-badge ks-{}">{}</span>', tone, text)
