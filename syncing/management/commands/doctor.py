"""`manage.py doctor`: is everything as it must be, and if not, what to do."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from syncing.operations import doctor
from syncing.operations.findings import FAIL, WARN


class Command(BaseCommand):
    help = "Check Python, settings, database, keys, worker, disk and accounts. Exit 1 if anything has failed."
    requires_system_checks: list[str] = []  # they are among its findings

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--online", action="store_true", help="also ask one account for the time (one request)")

    def handle(self, *args: Any, online: bool, **options: Any) -> None:
        failed = warned = 0
        for finding in doctor.examine(online=online):
            failed += finding.level == FAIL
            warned += finding.level == WARN
            self.stdout.write(str(finding))
        if failed:
            self.stdout.write(f"\n{failed} to mend.")
            sys.exit(1)
        self.stdout.write("\nNothing has to be mended." + (f" {warned} to look at." if warned else ""))
