"""`send_back RUN --by USERNAME --comment TEXT`: takes a plan from approval, for good."""

from argparse import ArgumentParser
from typing import Any

from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from syncing.management.console.runcommand import named_run, named_user
from syncing.management.console.running import Refused
from syncing.services.approvals import send_back


class Command(RefusingCommand):
    help = "Sends the plan of a run back with a comment: nobody can approve it any more. Exit 0; 2 when it cannot be."
    requires_system_checks = (INSTALLATION,)
    error_class = Refused

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, metavar="RUN", help="the number of the plan run")
        parser.add_argument("--by", metavar="USERNAME", required=True, help="who sends it back; needs the permission")
        parser.add_argument(
            "--comment", metavar="TEXT", required=True, help="what should be different; shown and stored"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        run = named_run(options["run"])
        send_back(run, by=named_user(options["by"]), comment=options["comment"])
        self.stdout.write(f"The plan of run {run.pk} was sent back.")
