"""The states that an account has on the overview: word, mark, tone, and a sentence that explains each."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from syncing.presentation.badges import BAD, IDLE, INFO, OK, WARN


@dataclass(frozen=True)
class FleetState:
    """One state; `mark` is a shape that says the same as the tone."""

    key: str
    label: str | Promise
    mark: str
    tone: str
    sentence: str | Promise


FLEET_STATES = {
    state.key: state
    for state in (
        FleetState(
            "lost", _("Not connected"), "✕", BAD, _("KommoSync cannot reach these accounts or may not change them.")
        ),
        FleetState(
            "failed", _("Last run failed"), "!", BAD, _("The last run did not do all it should in these accounts.")
        ),
        FleetState(
            "conflict",
            _("Conflict"),
            "⚑",
            WARN,
            _("A person has to decide: these differ in a way that no run settles."),
        ),
        FleetState("edited", _("Edited"), "✎", WARN, _("Somebody changed pipelines or fields in these accounts.")),
        FleetState(
            "differs", _("Differs"), "≠", WARN, _("These differ from their master; the next sync brings the changes.")
        ),
        FleetState("working", _("In a run"), "▶", INFO, _("A run is at work in these accounts or will be soon.")),
        FleetState("paused", _("Paused"), "‖", IDLE, _("No run touches these accounts until their pause ends.")),
        FleetState(
            "unknown",
            _("Not known"),
            "?",
            IDLE,
            _(
                "These were in sync when they were last read. That was more than a week ago, or the master has changed "
                "or a run has worked on them since."
            ),
        ),
        FleetState(
            "unread", _("Never read"), "○", IDLE, _("No run has compared these accounts with their master yet.")
        ),
        FleetState("equal", _("In sync"), "✓", OK, _("These were equal to their master when they were last read.")),
    )
}
