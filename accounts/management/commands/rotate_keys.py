"""`rotate_keys`: encrypts every stored secret with the first of FIELD_ENCRYPTION_KEYS."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from accounts.services import rotate


class Command(BaseCommand):
    help = "Put a new key before the old ones in FIELD_ENCRYPTION_KEYS, restart, run this, then remove the old ones."

    def handle(self, *args: Any, **options: Any) -> None:
        result = rotate()
        self.stdout.write(f"{result.rotated} rows are encrypted with the first key now.")
        for name in result.unreadable:
            self.stderr.write(f"{name}: no key of FIELD_ENCRYPTION_KEYS opens it; store its secrets anew.")
        if result.unreadable:
            sys.exit(1)
