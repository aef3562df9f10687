"""What `schedule` and `window` have in common: times that come again in a group, added, listed and removed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from syncing.management.console.numbers import id_of
from syncing.management.console.output import write_json
from syncing.management.console.runcommand import group_if_named, named_group
from syncing.presentation.tables import table
from syncing.services.actors import COMMAND


class RecurringCommand(RefusingCommand):
    """`add|list|remove` for the rows of one table; a command of it says what is its own."""

    requires_system_checks = (INSTALLATION,)
    word: str  # what a row is called
    kinds: Sequence[str]
    help_of_add: str
    help_of_remove: str
    head: Sequence[str]  # of the list
    services: Any  # the module with `add` and `remove`

    def add_own_flags(self, add: CommandParser) -> None:
        """Adds the flags of `add` that are this table's alone."""
        raise NotImplementedError

    def new_row(self, group: SyncGroup, columns: dict[str, Any], options: dict[str, Any]) -> Any:
        """Returns a row of these `columns` and of what its own flags say, not stored yet; raises Refusal."""
        raise NotImplementedError

    def sentence(self, row: Any) -> str:
        """Returns what `add` says of a row that was added."""
        raise NotImplementedError

    def rows_of(self, group: SyncGroup | None) -> QuerySet[Any]:
        raise NotImplementedError

    def document(self, row: Any) -> dict[str, Any]:
        raise NotImplementedError

    def cells(self, row: Any) -> Sequence[object]:
        """Returns the cells of a row in the list, below `head`."""
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help=self.help_of_add)
        add.add_argument("--group", metavar="NAME", help="the sync group; may be left out if there is only one")
        add.add_argument("--kind", required=True, help=f"one of {', '.join(self.kinds)}")
        add.add_argument("--cron", required=True, help="five parts, as in '0 3 * * *'")
        add.add_argument("--time-zone", metavar="ZONE", default="", help="as America/Sao_Paulo; else that of the group")
        self.add_own_flags(add)
        listing = actions.add_parser("list", help="list them, in the order in which they were added")
        listing.add_argument("--group", metavar="NAME", help="only those of this group")
        for each in (add, listing):
            each.add_argument("--json", action="store_true", help="JSON on stdout")
        actions.add_parser("remove", help=self.help_of_remove).add_argument("id", metavar="ID")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        {"add": self.add, "list": self.list_rows, "remove": self.remove}[action](options)

    def add(self, options: dict[str, Any]) -> None:
        columns = {name: options[name].strip() for name in ("cron", "time_zone")}
        row = self.new_row(named_group(options["group"]), {"kind": options["kind"], **columns}, options)
        self.services.add(row, by=COMMAND)
        if options["json"]:
            write_json(self.stdout, self.document(row))
        else:
            self.stdout.write(self.sentence(row))

    def list_rows(self, options: dict[str, Any]) -> None:
        rows = self.rows_of(group_if_named(options["group"]))
        if options["json"]:
            write_json(self.stdout, [self.document(row) for row in rows])
        else:
            cells = [self.cells(row) for row in rows]
            self.stdout.write(table(self.head, cells) if cells else f"There is no {self.word}.")

    def remove(self, options: dict[str, Any]) -> None:
        number = id_of(options["id"], self.word)
        row = self.rows_of(None).filter(pk=number).first()
        if row is None:
            message, remedy = f"There is no {self.word} {number}.", f"See `{self.word} list`."
            raise Refusal(f"no_such_{self.word}", message, remedy)
        self.services.remove(row, by=COMMAND)
        self.stdout.write(f"{self.word.capitalize()} {number} removed.")


def shown_times(times: Iterable[datetime]) -> str:
    """Returns times in their own zone, side by side."""
    return ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in times)
