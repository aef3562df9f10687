"""The metrics: their names, what they mean, and their labels. docs/monitoring.md has the same table for people.

Labels have few values: states, codes, and the names of groups; never that of an account.
"""

from dataclasses import dataclass
from typing import Literal

PREFIX = "kommosync_"
Kind = Literal["counter", "gauge", "summary"]


@dataclass(frozen=True)
class MetricDefinition:
    """One metric. `name` is without `PREFIX`, and of a counter without `_total`, which is added for Prometheus."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """Returns the name under which Prometheus knows it; a summary has `_sum` and `_count` behind it."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


DEFINITIONS = (
    MetricDefinition("build_info", "gauge", "Always 1; the label is the version of KommoSync.", ("version",)),
    MetricDefinition("runs_open", "gauge", "Runs that wait or are at work now.", ("state", "trigger")),
    MetricDefinition(
        "runs_ended", "counter", "Runs that ended, by their state and by what had started them.", ("state", "trigger")
    ),
    MetricDefinition("accounts", "gauge", "Accounts by the health of their connection.", ("role", "health")),
    MetricDefinition("accounts_paused", "gauge", "Accounts that are paused, or whose group is."),
    MetricDefinition(
        "accounts_by_last_run",
        "gauge",
        "Slaves by the state and reason of their last run; the state never: none has covered them yet.",
        ("state", "reason"),
    ),
    MetricDefinition(
        "accounts_by_drift",
        "gauge",
        "Slaves of each group by what the last look at them found; the state never: nobody has looked yet.",
        ("group", "state"),
    ),
    MetricDefinition(
        "kommo_requests",
        "counter",
        "Requests sent to Kommo by what came of them; rate_limited is an answer 429. Repeats count.",
        ("outcome",),
    ),
    MetricDefinition("kommo_request_seconds", "summary", "Seconds from sending a request to its whole answer."),
    MetricDefinition(
        "watcher_state", "gauge", "1 for the state that the watcher of a group is in, else 0.", ("group", "state")
    ),
    MetricDefinition(
        "watcher_last_look_timestamp_seconds", "gauge", "When the master of a group was last looked at.", ("group",)
    ),
    MetricDefinition(
        "schedule_last_start_timestamp_seconds",
        "gauge",
        "When a schedule of this kind last came about in the group.",
        ("group", "kind"),
    ),
    MetricDefinition(
        "schedule_next_timestamp_seconds",
        "gauge",
        "When a schedule of this kind is next due in the group; in the past: it is late.",
        ("group", "kind"),
    ),
    MetricDefinition(
        "overdue", "gauge", "Things that should have happened by themselves and did not, by their kind.", ("code",)
    ),
    MetricDefinition("queue_messages", "gauge", "Messages in the queue that no worker has taken yet."),
    MetricDefinition("workers_alive", "gauge", "Workers that gave a sign of life within a lease."),
    MetricDefinition("lanes_alive", "gauge", "Lanes of workers that are at work on runs."),
    MetricDefinition(
        "connection_end_timestamp_seconds",
        "gauge",
        "When the next connection ends if nobody does anything; missing while no end is known.",
    ),
    MetricDefinition(
        "connections_ending",
        "gauge",
        "Connections that end within so many days if nobody does anything.",
        ("within_days",),
    ),
    MetricDefinition(
        "channels", "gauge", "Channels for messages: working, failing (the last message) or off.", ("state",)
    ),
    MetricDefinition("messages_due", "gauge", "Messages that wait to be sent, or to be tried again."),
    MetricDefinition("messages_given_up", "gauge", "Messages of the last days that could not be sent."),
)
