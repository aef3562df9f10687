"""The lines of a run's log in the reader's language, as far as they are our own words."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from accounts.own_words import in_readers_words, translated
from syncing.models import LogEntry, RunState
from syncing.presentation.explanations import run_reason
from syncing.presentation.labels import account_state_label

RUN_ENDED = "run_ended"


def log_text(entry: LogEntry) -> str:
    """Returns the message: our sentences translated, what Kommo and the engine said as it came."""
    facts = entry.details.get("facts")
    if entry.code == RUN_ENDED and facts:
        return _end(facts)
    sentence = entry.details.get("sentence")
    if not sentence or not isinstance(facts, dict):
        return translated(entry.message)
    try:
        return _(sentence) % in_readers_words(facts)
    except (KeyError, TypeError, ValueError):  # of an older or a newer version
        return entry.message


def _end(facts: Mapping[str, Any]) -> str:
    state = dict(RunState.choices).get(facts["state"], facts["state"])
    reason = run_reason(facts["reason"], facts.get("reasons", 0))
    why = f" ({reason})" if reason else ""
    ended = ", ".join(f"{account_state_label(name)}: {count}" for name, count in facts["accounts"].items())
    accounts = ended or _("No account.")
    return f"{state}{why}. {accounts}"
