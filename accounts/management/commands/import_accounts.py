"""`import_accounts`: accounts from a CSV or XLSX file."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from accounts.checks import INSTALLATION
from accounts.management.base import NOT_GOOD, USAGE, RefusingCommand
from accounts.services.importing import import_accounts


class Command(RefusingCommand):
    help = (
        "Creates and updates accounts from a CSV (or XLSX) file with the columns subdomain, role (master or slave), "
        "name, token; also client_id, client_secret, refresh_token, redirect_uri, email, group. An empty cell keeps "
        "what is stored. Of token and refresh_token in one row the token is used."
    )
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument("--group", metavar="NAME", help="the sync group of lines that name none; created if needed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open("rb") as file:
                report = import_accounts(file, options["group"])
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}", returncode=USAGE) from error
        for line, message in report.all_notes:
            self.stdout.write(f"line {line}: {message}" if line else message)
        for line, message in report.errors:
            self.stderr.write(f"line {line}: {message}")
        self.stdout.write(
            f"Group {report.group}: {report.created} created, {report.updated} updated, "
            f"{report.unchanged} unchanged, {len(report.errors)} refused."
        )
        if report.errors:
            sys.exit(NOT_GOOD)
