"""`manage.py bench`: the figures that KommoSync must reach, measured on this machine."""

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from accounts.management.base import RefusingCommand
from syncing.operations.bench import report, scenarios

QUICK_SLAVES = 12


class Command(RefusingCommand):
    help = "Measure requests, pace, memory and CPU on a simulated Kommo. Exit 1 if a count is above its floor."
    requires_system_checks: list[str] = []  # the bench has settings of its own

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slaves", type=int, default=119)
        parser.add_argument(
            "--quick", action="store_true", help=f"only {QUICK_SLAVES} slaves behind the limit of one IP"
        )
        parser.add_argument("--counts-only", action="store_true", help="only the exact counts (seconds)")
        parser.add_argument("--json", action="store_true", help="one document on stdout, all else on stderr")

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with tempfile.TemporaryDirectory(prefix="kommosync-bench-") as directory:
                rows = [*scenarios.counts(Path(directory), self._say)]
                if not options["counts_only"]:
                    slaves: int = options["slaves"]
                    behind_one_ip = min(QUICK_SLAVES, slaves) if options["quick"] else slaves
                    rows += scenarios.parallel(Path(directory), self._say, slaves=slaves)
                    rows += scenarios.deltas(Path(directory), self._say, slaves=behind_one_ip)
                    rows += scenarios.one_ip(Path(directory), self._say, slaves=behind_one_ip)
        except KeyboardInterrupt:
            sys.exit(1)
        good = all(row.good for row in rows)
        if options["json"]:
            self.stdout.write(json.dumps({"good": good, "rows": [row.as_dict() for row in rows]}, indent=2))
        else:
            self.stdout.write(report.text(rows))
        sys.exit(0 if good else 1)

    def _say(self, text: str) -> None:
        self.stderr.write(f"measuring: {text}", style_func=str)
        self.stderr.flush()
