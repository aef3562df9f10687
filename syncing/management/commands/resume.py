"""`resume [--group NAME | --account SUBDOMAIN ...] [--reason TEXT]`: ends a pause before its time."""

from argparse import ArgumentParser
from typing import Any

from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from syncing.management.console.pausing import add_target_flags, name_of, targets
from syncing.services.actors import COMMAND
from syncing.services.pauses import resume


class Command(RefusingCommand):
    help = "Ends the pause of a group or of accounts. What was not paused stays as it is."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_target_flags(parser)
        parser.add_argument("--reason", metavar="TEXT", default="", help="why; stored in the audit")

    def handle(self, *args: Any, **options: Any) -> None:
        things = targets(options)
        ended = resume(things, by=COMMAND, reason=options["reason"])
        for thing in things:
            self.stdout.write(
                f"{name_of(thing)} is resumed." if thing in ended else f"{name_of(thing)} was not paused."
            )
