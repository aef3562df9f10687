"""`manage.py demo`: KommoSync at work on a simulated Kommo; nothing of it touches `.env` or the real database."""

import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from accounts.management.base import RefusingCommand
from accounts.refusals import Refusal
from syncing.management.console.listening import port_number
from syncing.management.console.output import write_line
from syncing.operations import demo
from syncing.operations.setup_steps import ADMIN
from syncing.operations.workspace import Workspace


class Command(RefusingCommand):
    help = "A simulated Kommo, the first full sync of its 119 slaves, a table of the result, then the dashboard."
    requires_system_checks: list[str] = []  # the demo has settings of its own

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slaves", type=int, help="number of slaves (first run; default: 119)")
        parser.add_argument("--port", type=port_number, default=8000, help="of the dashboard (default: %(default)s)")
        parser.add_argument("--no-serve", action="store_true", help="end after the table; exit 0 if all is well")
        parser.add_argument("--reset", action="store_true", help="delete the previous demo and start over")
        parser.add_argument("--new-password", action="store_true", help="another password for the dashboard")

    def handle(self, *args: Any, slaves: int | None, **options: Any) -> None:
        if slaves is not None and not 1 <= slaves <= 1000:
            raise Refusal("usage", "--slaves must be from 1 to 1000.")
        # SIGTERM ends the demo as Ctrl-C does: by an exception that passes every `with`.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        directory: Path = settings.VAR_DIR / "demo"
        try:
            with demo.exclusive(directory):
                if options["reset"]:
                    demo.remove_demo(directory)
                with Workspace(directory) as workspace:
                    good = self._run(demo.Demo(workspace, partial(write_line, self.stdout)), slaves, options)
        except KeyboardInterrupt:
            write_line(self.stdout, "\nStopped before the end; the next demo goes on from here.")
            sys.exit(1)
        sys.exit(0 if good else 1)

    def _run(self, running: demo.Demo, slaves: int | None, options: dict[str, Any]) -> bool:
        try:
            running.prepare(slaves=slaves, new_password=options["new_password"], port=options["port"])
            document = running.sync()
            write_line(self.stdout, f"\n{demo.result_table(document)}")
            if not options["no_serve"]:
                running.serve(options["port"])
        finally:
            if running.password:
                write_line(self.stdout, f"\nDashboard user: {ADMIN}   password: {running.describe_password()}")
        return bool(document.get("state") == "succeeded")
