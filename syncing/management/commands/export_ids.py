"""`export_ids`: which item of the master is which item of a slave, for bots and dashboards."""

import csv
import json
from argparse import ArgumentParser
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError

from accounts.checks import INSTALLATION
from accounts.kommo.texts import storable
from accounts.models import SECRETS, Account
from accounts.services.tables.formulas import guarded
from syncing.selectors.ids import COLUMNS, id_map

USAGE = 2


class Command(BaseCommand):
    help = "Prints the id mappings of one slave."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", metavar="SUBDOMAIN", required=True)
        parser.add_argument("--format", choices=("json", "csv"), default="json")

    def handle(self, *args: Any, **options: Any) -> None:
        subdomain = storable(options["account"]).strip().lower()
        account = Account.objects.filter(subdomain=subdomain).defer(*SECRETS).first()
        if account is None:
            raise CommandError(f"No such account: {subdomain}.", returncode=USAGE)
        rows = id_map(account)
        if options["format"] == "json":
            self.stdout.write(json.dumps(rows, ensure_ascii=False))
            return
        writer = csv.DictWriter(cast(TextIO, self.stdout._out), COLUMNS)
        writer.writeheader()
        for row in rows:
            cells = {column: row[column] for column in COLUMNS}
            # A name that a spreadsheet would take for a formula is made harmless; an id is a number.
            writer.writerow({name: guarded(cell) if isinstance(cell, str) else cell for name, cell in cells.items()})
