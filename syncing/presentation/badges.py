"""Tones and badges of states: one tone per state, whatever it is the state of."""

from django.utils.safestring import SafeString

from accounts.badges import BAD, HEALTH_TONES, IDLE, INFO, OK, WARN, mark

__all__ = ["BAD", "IDLE", "INFO", "OK", "WARN", "badge", "tone"]

TONES = {
    **HEALTH_TONES,
    **dict.fromkeys(["succeeded", "in_sync", "changed", "done", "sent", "used"], OK),
    **dict.fromkeys(["running", "planned", "info", "expires_soon", "open"], INFO),
    **dict.fromkeys(["partial", "refused", "unverified", "warning", "conflict", "manual", "expires_now"], WARN),
    **dict.fromkeys(["drifted", "edited", "given_up", "held", "skipped_time", "sent_back", "expired"], WARN),
    **dict.fromkeys(["queued", "skipped", "cancelled", "paused", "waits", "withdrawn", "not_known", "never"], IDLE),
}


def tone(state: str) -> str:
    """Returns the tone of a run, account, health, outcome or log state; what is not known as harmless is bad."""
    return TONES.get(state, BAD)


def badge(state: str, label: str) -> SafeString:
    return mark(tone(state), label)
