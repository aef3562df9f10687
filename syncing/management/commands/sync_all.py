"""`sync_all`: plans or syncs the slaves of a group, here or by the workers."""

from argparse import ArgumentParser
from typing import Any

from accounts.models import SyncGroup
from syncing.management.console.runcommand import RunCommand, named_accounts
from syncing.management.console.running import Refused
from syncing.models import RunMode, RunType, Trigger
from syncing.services.runs import Started, start_run


class Command(RunCommand):
    help = "Syncs (or with --plan only compares) the slaves of a group with its master."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--group", metavar="NAME", help="the sync group; may be left out if there is only one")
        parser.add_argument("--type", choices=RunType.values, default=RunType.FULL.value)
        parser.add_argument("--account", metavar="SUBDOMAIN", action="append", help="only this slave; may be repeated")
        parser.add_argument("--plan", action="store_true", help="show what would be done, write nothing")
        parser.add_argument("--force", action="store_true", help="override the limits of the group; needs --reason")
        parser.add_argument("--reason", metavar="TEXT", default="", help="why it is forced; kept with the run")
        super().add_arguments(parser)

    def start(self, options: dict[str, Any]) -> Started:
        if options["reason"].strip() and not options["force"]:
            raise Refused("usage", "--reason is for --force.", "")
        return start_run(
            group=_group(options["group"]),
            type=options["type"],
            mode=RunMode.PLAN if options["plan"] else RunMode.APPLY,
            trigger=Trigger.COMMAND,
            accounts=named_accounts(options["account"]),
            forced=options["force"],
            force_reason=options["reason"],
            to_workers=options["queue"],
        )


def _group(name: str | None) -> SyncGroup:
    """The named group, else the only one."""
    groups = list(SyncGroup.objects.order_by("name"))
    if name is not None:
        groups = [group for group in groups if group.name == name]
        if not groups:
            raise Refused("no_group", f"There is no sync group {name!r}.", _known_groups())
    if not groups:
        raise Refused("no_group", "There is no sync group yet.", "Import accounts first: import_accounts FILE.csv.")
    if len(groups) > 1:
        raise Refused("no_group", "There are several sync groups.", f"Name one with --group. {_known_groups()}")
    return groups[0]


def _known_groups() -> str:
    names = ", ".join(SyncGroup.objects.order_by("name").values_list("name", flat=True))
    return f"Groups: {names or 'none'}."
