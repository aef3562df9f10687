"""`approve RUN --by USERNAME`: has a reviewed plan carried out, here or by the workers."""

from argparse import ArgumentParser
from typing import Any

from syncing.management.console.runcommand import RunCommand, named_accounts, named_run, named_user
from syncing.services.approvals import approve
from syncing.services.runs.create import Started


class Command(RunCommand):
    help = "Approves a plan run: each account is planned anew, and written only if the plan is still the same."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, metavar="RUN", help="the number of the plan run")
        parser.add_argument(
            "--by", metavar="USERNAME", required=True, help="the user who approves; needs the permission"
        )
        parser.add_argument(
            "--account", metavar="SUBDOMAIN", action="append", help="only this account; may be repeated"
        )
        parser.add_argument("--reason", metavar="TEXT", default="", help="the reason, stored in the audit")
        super().add_arguments(parser)

    def start(self, options: dict[str, Any]) -> Started:
        return approve(
            named_run(options["run"]),
            by=named_user(options["by"]),
            accounts=named_accounts(options["account"]),
            reason=options["reason"],
            to_workers=options["queue"],
        )
