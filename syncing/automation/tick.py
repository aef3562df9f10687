"""What a worker looks at every few seconds: all that is due by itself. It asks the database only, never Kommo."""

from collections.abc import Callable, Mapping

from django.utils import translation

from accounts.own_words import SOURCE
from syncing.automation import alarms, conformity, follow_up, pauses, report, retries, schedules, watcher
from syncing.error_boundary import survived
from syncing.execution import lanes
from syncing.leases import dispatch
from syncing.services.runs import order

Step = Callable[[], int]


def tick() -> dict[str, int]:
    """Takes every step once; returns how much of each there was to do. May run anywhere, and several at once.

    A step that fails prevents no other.
    """
    counts = {}
    for name, step in STEPS.items():
        counts[name] = 0
        # What is stored is English; messages have the language of their channel.
        with survived(f"the step {name} of what is due"), translation.override(SOURCE):
            counts[name] = step()
    return counts


STEPS: Mapping[str, Step] = {
    "pauses": pauses.end_due,
    "schedules": schedules.start_due,
    "follow-ups": follow_up.follow_ended,
    "retries": retries.start_due,
    "notes": order.note_reasons,
    "watch": watcher.send_due,
    "alarms": alarms.raise_alarms,
    "reports": report.write_due,
    "conformity": conformity.count_due,
    # The last: what waited for a time may have been waiting for nothing else.
    "lanes": lambda: dispatch.call_lanes() if lanes.has_claimable() else 0,
}
