"""`audit [--since DATE] [--format csv|json]`: who decided what, when and why, the newest first."""

from argparse import ArgumentParser
from datetime import datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from accounts.checks import INSTALLATION
from syncing.selectors import audit

FORMATS = {"csv": audit.as_csv, "json": audit.as_json}


class Command(BaseCommand):
    help = "Prints the audit: who started, approved, overrode, rolled back, promoted or changed what, and why."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", metavar="DATE", help="only from that day on: 2026-01-31, or 2026-01-31T18:00")
        parser.add_argument("--format", choices=list(FORMATS), default="csv")

    def handle(self, *args: Any, **options: Any) -> None:
        entries = audit.entries(since=_moment(options["since"]) if options["since"] else None)
        for part in FORMATS[options["format"]](entries):
            self.stdout.write(part, ending="")


def _moment(text: str) -> datetime:
    """Reads a moment in the installation's own time zone; a day means its beginning. Raises CommandError."""
    try:
        day = parse_date(text)
        moment = datetime.combine(day, time()) if day else parse_datetime(text)
    except ValueError:  # such as the 30th of February
        moment = None
    if moment is None:
        raise CommandError(f"--since {text!r} is no date. Write it as 2026-01-31.", returncode=2)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
