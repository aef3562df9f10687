"""`sync_all`: plans or syncs the slaves of a group, here or by the workers."""

from argparse import ArgumentParser
from typing import Any

from accounts.refusals import Refusal
from syncing.management.console.runcommand import RunCommand, named_accounts, named_group
from syncing.models import RunMode, RunType
from syncing.services.actors import COMMAND
from syncing.services.runs.start import Started, start_run


class Command(RunCommand):
    help = "Syncs (or with --plan only compares) the slaves of a group with its master."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--group", metavar="NAME", help="the sync group; may be left out if there is only one")
        parser.add_argument("--type", choices=RunType.values, default=RunType.FULL.value)
        parser.add_argument("--account", metavar="SUBDOMAIN", action="append", help="only this slave; may be repeated")
        parser.add_argument("--plan", action="store_true", help="show what would change, write nothing")
        parser.add_argument("--force", action="store_true", help="override the limits of the group; needs --reason")
        parser.add_argument("--reason", metavar="TEXT", default="", help="the reason for --force, stored with the run")
        parser.add_argument("--name", metavar="TEXT", default="", help="a name for the run, shown in the list of runs")
        parser.add_argument("--why", metavar="TEXT", default="", help="what the run is for, shown on its page")
        super().add_arguments(parser)

    def start(self, options: dict[str, Any]) -> Started:
        if options["reason"].strip() and not options["force"]:
            raise Refusal("usage", "--reason is for --force.")
        return start_run(
            group=named_group(options["group"]),
            type=options["type"],
            mode=RunMode.PLAN if options["plan"] else RunMode.APPLY,
            by=COMMAND,
            accounts=named_accounts(options["account"]),
            forced=options["force"],
            force_reason=options["reason"],
            to_workers=options["queue"],
            name=options["name"],
            wish=options["why"],
        )
