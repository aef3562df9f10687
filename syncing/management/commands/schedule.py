"""`schedule add|list|remove`: runs that start by themselves at certain times."""

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from accounts.models import SyncGroup
from syncing.management.console.numbers import whole_number
from syncing.management.console.recurring import RecurringCommand, shown_times
from syncing.models import DEFAULT_GRACE, Schedule, ScheduleKind
from syncing.selectors.schedules import coming, schedule_document, schedules_of
from syncing.services import schedules
from syncing.windows import shown_time


class Command(RecurringCommand):
    help = "Adds, lists and removes the schedules of groups. Times are in the zone of the schedule, else of the group."
    word = "schedule"
    kinds = ScheduleKind.values
    help_of_add = "add a schedule; its first time is the next one from now"
    help_of_remove = "remove one; the runs that it started stay"
    head = ("id", "group", "kind", "cron", "time zone", "grace", "next", "problem")
    services = schedules

    def add_own_flags(self, add: CommandParser) -> None:
        add.add_argument(
            "--grace", metavar="MINUTES", default=str(DEFAULT_GRACE), help="make up for a time missed by up to this"
        )

    def new_row(self, group: SyncGroup, columns: dict[str, Any], options: dict[str, Any]) -> Schedule:
        return Schedule(group=group, **columns, grace=whole_number(options["grace"], "--grace"))

    def sentence(self, row: Schedule) -> str:
        return f"Schedule {row.pk} added; its first time is {shown_time(coming(row)[0], row.zone)}."

    def rows_of(self, group: SyncGroup | None) -> QuerySet[Schedule]:
        return schedules_of(group)

    def document(self, row: Schedule) -> dict[str, Any]:
        return schedule_document(row)

    def cells(self, row: Schedule) -> Sequence[object]:
        following = shown_times(coming(row)) or "switched off"
        where_and_when = (row.group.name, row.kind, row.cron, row.zone)
        return (row.pk, *where_and_when, f"{row.grace} min", following, row.problem)
