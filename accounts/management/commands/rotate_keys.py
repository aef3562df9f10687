"""`rotate_keys`: encrypts every stored secret with the first of FIELD_ENCRYPTION_KEYS."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services.keys import clear, rotate, unreadable_secrets


class Command(BaseCommand):
    help = (
        "Encrypts stored secrets again, with the first key of FIELD_ENCRYPTION_KEYS. "
        "Put a new key before the old ones, restart, run this, then remove the old ones."
    )
    requires_system_checks: list[str] = []  # the check of the keys would refuse the very command that repairs them

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--clear", action="store_true", help="empty the secrets that no key can decrypt, if a key is lost for good"
        )
        parser.add_argument("--no-input", action="store_true", help="do not ask before --clear")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["clear"]:
            lost = unreadable_secrets()
            if lost and not options["no_input"]:
                self.stdout.write(f"No key opens the secrets of {len(lost)} rows: {', '.join(lost)}.")
                if not sys.stdin.isatty():
                    message = "Nothing was changed: nobody is there to confirm it. Add --no-input if that is intended."
                    raise CommandError(message)
                if input("Empty them? Their accounts have to be connected again. [y/N] ").strip().lower() != "y":
                    raise CommandError("Nothing was changed.")
            clear(lost)
            self.stdout.write(f"{len(lost)} rows emptied.")
        result = rotate()
        self.stdout.write(f"{result.rotated} rows are encrypted with the first key now.")
        for name in result.unreadable:
            self.stderr.write(f"{name}: no key of FIELD_ENCRYPTION_KEYS opens it; put the old key back, or --clear it.")
        if result.unreadable:
            sys.exit(1)
