"""`window add|list|remove`: times in which a group may not be written to, or the only ones in which it may."""

from typing import Any

from django.core.management.base import CommandParser

from accounts import clock
from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from accounts.refusals import Refusal
from syncing.management.console.numbers import id_of, whole_number
from syncing.management.console.output import write_json
from syncing.management.console.recurring import add_recurring_flags, recurring_values, shown_times
from syncing.management.console.runcommand import named_group
from syncing.models import Window, WindowKind
from syncing.presentation.tables import table
from syncing.selectors.windows import openings, window_document, windows_of
from syncing.services import windows
from syncing.services.actors import COMMAND
from syncing.windows import frozen_until, until_when

HEAD = ("id", "group", "kind", "cron", "time zone", "length", "opens next")


class Command(RefusingCommand):
    help = (
        "Adds, lists and removes the windows of groups: deny freezes them, outside all allow windows they are frozen."
    )
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="add a window; it counts at once, also if it has begun already")
        add_recurring_flags(add, WindowKind.values)
        add.add_argument("--minutes", metavar="N", required=True, help="how long it is open each time")
        listing = actions.add_parser("list", help="list them, in the order in which they were added")
        listing.add_argument("--group", metavar="NAME", help="only those of this group")
        for each in (add, listing):
            each.add_argument("--json", action="store_true", help="JSON on stdout")
        remove = actions.add_parser("remove", help="remove one; what waited for its end may begin")
        remove.add_argument("id", metavar="ID")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        {"add": self._add, "list": self._list, "remove": self._remove}[action](options)

    def _add(self, options: dict[str, Any]) -> None:
        group = named_group(options["group"])
        minutes = whole_number(options["minutes"], "--minutes")
        window = windows.add(Window(group=group, **recurring_values(options), minutes=minutes), by=COMMAND)
        if options["json"]:
            write_json(self.stdout, window_document(window))
            return
        end = frozen_until(group, clock.now())
        state = f"frozen {until_when(group, end)}" if end else "not frozen now"
        self.stdout.write(f"Window {window.pk} added; the group {group.name} is {state}.")

    def _list(self, options: dict[str, Any]) -> None:
        group = named_group(options["group"]) if options["group"] is not None else None
        found = windows_of(group)
        if options["json"]:
            write_json(self.stdout, [window_document(window) for window in found])
            return
        rows = [
            (
                *(window.pk, window.group.name, window.kind, window.cron, window.zone),
                *(f"{window.minutes} min", shown_times(openings(window))),
            )
            for window in found
        ]
        self.stdout.write(table(HEAD, rows) if rows else "There is no window.")

    def _remove(self, options: dict[str, Any]) -> None:
        number = id_of(options["id"], "window")
        window = windows_of(None).filter(pk=number).first()
        if window is None:
            raise Refusal("no_such_window", f"There is no window {number}.", "See `window list`.")
        windows.remove(window, by=COMMAND)
        self.stdout.write(f"Window {number} removed.")
