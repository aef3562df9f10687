"""`pause [--group NAME | --account SUBDOMAIN ...] [--hours N | --until ISO] --reason TEXT`: nothing is sent there."""

from argparse import ArgumentParser
from typing import Any

from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from syncing.management.console.numbers import hours_of
from syncing.management.console.pausing import add_target_flags, name_of, targets
from syncing.services.actors import COMMAND
from syncing.services.pauses import group_of, pause
from syncing.windows import until_when


class Command(RefusingCommand):
    help = (
        "Pauses a group or accounts, all of them or none. A pause ends by itself, after 24 hours unless you say when."
    )
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_target_flags(parser)
        parser.add_argument("--hours", metavar="N", help="how long (default: 24)")
        parser.add_argument("--until", metavar="ISO", help="until when, as 2026-12-24T18:00; in the zone of the group")
        parser.add_argument("--reason", metavar="TEXT", default="", help="why; needed, stored and shown")

    def handle(self, *args: Any, **options: Any) -> None:
        hours = None if options["hours"] is None else hours_of(options["hours"], "--hours")
        facts = {"hours": hours, "until": options["until"], "reason": options["reason"]}
        for thing in pause(targets(options), by=COMMAND, **facts):
            assert thing.paused_until is not None
            self.stdout.write(f"{name_of(thing)} is paused {until_when(group_of(thing), thing.paused_until)}.")
