"""How a state looks: one tone per state, whatever it is the state of."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

OK, INFO, WARN, BAD, IDLE = "ok", "info", "warn", "bad", "idle"

TONES = {
    **dict.fromkeys(["succeeded", "in_sync", "changed", "connected", "done"], OK),
    **dict.fromkeys(["running", "planned", "info"], INFO),
    **dict.fromkeys(["partial", "refused", "unverified", "warning", "conflict", "manual", "unreachable"], WARN),
    **dict.fromkeys(["queued", "skipped", "cancelled", "unknown", "paused"], IDLE),
}


def tone(state: str) -> str:
    """The tone of a run, account, health, outcome or log state; what is not known as harmless is bad."""
    return TONES.get(state, BAD)


def badge(state: str, label: str) -> SafeString:
    return format_html('<span class="ks-badge ks-{}">{}</span>', tone(state), label)
