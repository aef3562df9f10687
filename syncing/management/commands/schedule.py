"""`schedule add|list|remove`: runs that start by themselves at certain times."""

from typing import Any

from django.core.management.base import CommandParser

from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from accounts.refusals import Refusal
from syncing.management.console.numbers import id_of, whole_number
from syncing.management.console.output import write_json
from syncing.management.console.recurring import add_recurring_flags, recurring_values, shown_times
from syncing.management.console.runcommand import named_group
from syncing.models import DEFAULT_GRACE, Schedule, ScheduleKind
from syncing.presentation.tables import table
from syncing.selectors.schedules import coming, schedule_document, schedules_of
from syncing.services import schedules
from syncing.services.actors import COMMAND
from syncing.windows import shown_time

HEAD = ("id", "group", "kind", "cron", "time zone", "grace", "next", "problem")


class Command(RefusingCommand):
    help = "Adds, lists and removes the schedules of groups. Times are in the zone of the schedule, else of the group."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="add a schedule; its first time is the next one from now")
        add_recurring_flags(add, ScheduleKind.values)
        add.add_argument(
            "--grace", metavar="MINUTES", default=str(DEFAULT_GRACE), help="make up for a time missed by up to this"
        )
        listing = actions.add_parser("list", help="list them, in the order in which they were added")
        listing.add_argument("--group", metavar="NAME", help="only those of this group")
        for each in (add, listing):
            each.add_argument("--json", action="store_true", help="JSON on stdout")
        remove = actions.add_parser("remove", help="remove one; the runs that it started stay")
        remove.add_argument("id", metavar="ID")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        {"add": self._add, "list": self._list, "remove": self._remove}[action](options)

    def _add(self, options: dict[str, Any]) -> None:
        schedule = Schedule(
            group=named_group(options["group"]),
            **recurring_values(options),
            grace=whole_number(options["grace"], "--grace"),
        )
        schedules.add(schedule, by=COMMAND)
        if options["json"]:
            write_json(self.stdout, schedule_document(schedule))
        else:
            first = shown_time(coming(schedule)[0], schedule.zone)
            self.stdout.write(f"Schedule {schedule.pk} added; its first time is {first}.")

    def _list(self, options: dict[str, Any]) -> None:
        group = named_group(options["group"]) if options["group"] is not None else None
        found = schedules_of(group)
        if options["json"]:
            write_json(self.stdout, [schedule_document(schedule) for schedule in found])
            return
        rows = [_cells(schedule) for schedule in found]
        self.stdout.write(table(HEAD, rows) if rows else "There is no schedule.")

    def _remove(self, options: dict[str, Any]) -> None:
        number = id_of(options["id"], "schedule")
        schedule = schedules_of(None).filter(pk=number).first()
        if schedule is None:
            raise Refusal("no_such_schedule", f"There is no schedule {number}.", "See `schedule list`.")
        schedules.remove(schedule, by=COMMAND)
        self.stdout.write(f"Schedule {number} removed.")


def _cells(schedule: Schedule) -> tuple[object, ...]:
    following = shown_times(coming(schedule)) or "switched off"
    where_and_when = (schedule.group.name, schedule.kind, schedule.cron, schedule.zone)
    return (schedule.pk, *where_and_when, f"{schedule.grace} min", following, schedule.problem)
