"""`window add|list|remove`: times in which a group may not be written to, or the only ones in which it may."""

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from accounts import clock
from accounts.models import SyncGroup
from syncing.management.console.numbers import whole_number
from syncing.management.console.recurring import RecurringCommand, shown_times
from syncing.models import Window, WindowKind
from syncing.selectors.windows import openings, window_document, windows_of
from syncing.services import windows
from syncing.windows import frozen_until, until_when


class Command(RecurringCommand):
    help = (
        "Adds, lists and removes the windows of groups: deny freezes them, outside all allow windows they are frozen."
    )
    word = "window"
    kinds = WindowKind.values
    help_of_add = "add a window; it counts at once, also if it has begun already"
    help_of_remove = "remove one; what waited for its end may begin"
    head = ("id", "group", "kind", "cron", "time zone", "length", "opens next")
    services = windows

    def add_own_flags(self, add: CommandParser) -> None:
        add.add_argument("--minutes", metavar="N", required=True, help="how long it is open each time")

    def new_row(self, group: SyncGroup, columns: dict[str, Any], options: dict[str, Any]) -> Window:
        return Window(group=group, **columns, minutes=whole_number(options["minutes"], "--minutes"))

    def sentence(self, row: Window) -> str:
        end = frozen_until(row.group, clock.now())
        state = f"frozen {until_when(row.group, end)}" if end else "not frozen now"
        return f"Window {row.pk} added; the group {row.group.name} is {state}."

    def rows_of(self, group: SyncGroup | None) -> QuerySet[Window]:
        return windows_of(group)

    def document(self, row: Window) -> dict[str, Any]:
        return window_document(row)

    def cells(self, row: Window) -> Sequence[object]:
        where_and_when = (row.group.name, row.kind, row.cron, row.zone)
        return (row.pk, *where_and_when, f"{row.minutes} min", shown_times(openings(row)))
