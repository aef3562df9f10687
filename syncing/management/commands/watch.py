"""`manage.py watch [--group NAME] [--whole] [--json]`: looks at the master of a group once, now."""

import sys
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from accounts import clock
from accounts.checks import INSTALLATION
from accounts.management.base import NOT_GOOD, RefusingCommand
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from syncing.automation import watcher
from syncing.automation.watch_results import LookOutcome
from syncing.execution.stop_signs import StopOnSignal
from syncing.management.console.output import write_json
from syncing.management.console.runcommand import named_group
from syncing.models import Watch
from syncing.selectors.watch import watch_document
from syncing.worker.messenger_supervisor import send_without_workers

MOVED = 3
TIMES = ("last_look", "last_change", "next_look")
ATTEMPTS = 5  # workers may take looks at this very moment
NO_LOOK = {
    "code": "busy",
    "message": "Somebody else looks at this master, or the look was stopped.",
    "remedy": "Look again.",
}
HELP = (
    "Look at the master of a group once, now: at the collection whose turn it is, as a worker would. "
    "Exit 0: nothing moved; 3: something moved, or a change waits; 1: the master could not be read. "
    "A run that follows from it is left to the workers. While the watcher is off nothing follows: "
    "what was seen is remembered, for the next look to be compared with."
)


class Command(RefusingCommand):
    help = HELP
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", help="name of the sync group (default: the only one)")
        parser.add_argument("--whole", action="store_true", help="look at all of the master, not at one collection")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout, the rest on stderr")

    def handle(self, *args: Any, **options: Any) -> None:
        group = named_group(options["group"])
        outcome, error = _look(group, whole=options["whole"])
        row = Watch.objects.select_related("group").filter(pk=group.pk).first()
        document = {
            "group": group.name,
            **watch_document(group, row, clock.now()),
            "looked_at": outcome.collection or "everything" if outcome else None,
            "moved": list(outcome.moved) if outcome else [],
            "waits": bool(row and row.pending_fingerprint),
            "run": outcome.run.pk if outcome and outcome.run else None,
            "error": error,
        }
        if options["json"]:
            times = {name: document[name] and document[name].isoformat() for name in TIMES}
            write_json(self.stdout, {**document, **times})
        elif error is None:
            self.stdout.write(_sentence(document))
        self.stdout.flush()
        send_without_workers()
        if error:
            self.stderr.write(f"{error['message']} {error['remedy']}".strip())
            sys.exit(NOT_GOOD)
        if document["moved"] or document["waits"] or document["run"]:
            sys.exit(MOVED)

    def report(self, error: Refusal, options: Mapping[str, Any]) -> None:
        if options["json"]:
            write_json(self.stdout, {"group": options["group"], "moved": [], "run": None, "error": error.document})


def _look(group: SyncGroup, *, whole: bool) -> tuple[LookOutcome | None, Mapping[str, str] | None]:
    """Looks; again when somebody else was faster. Returns what came of it, and why it came to nothing."""
    with StopOnSignal() as sign:
        try:
            for _ in range(ATTEMPTS):
                outcome = watcher.look(group.pk, sign, at_once=True, whole=whole)
                if outcome is not None or sign.is_set():
                    return outcome, outcome.error if outcome else NO_LOOK
        except Refusal as refusal:
            return None, refusal.document
    return None, NO_LOOK


def _sentence(document: Mapping[str, Any]) -> str:
    """Returns what came of the look, in words."""
    moved = f"{', '.join(document['moved'])} moved" if document["moved"] else "nothing moved"
    parts = [f"Looked at {document['looked_at']}: {moved}."]
    if document["run"]:
        parts.append(f"Run {document['run']} brings it; the workers do it.")
    elif document["waits"]:
        parts.append("A change waits.")
    return " ".join(parts)
