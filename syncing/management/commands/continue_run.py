"""`continue_run RUN`: starts the next wave of a run that waits to be continued, or for the end of its pause."""

from argparse import ArgumentParser
from typing import Any

from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from syncing.leases.processes import workers_alive
from syncing.management.console.runcommand import named_run
from syncing.management.console.running import Refused
from syncing.selectors.waves import position
from syncing.services.actors import COMMAND
from syncing.services.runs.waves import continue_run


class Command(RefusingCommand):
    help = "Starts the next wave of a run: exit 0; 2 when there is no such run, or nothing that waits."
    requires_system_checks = (INSTALLATION,)
    error_class = Refused

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, metavar="RUN", help="the number of the run")

    def handle(self, *args: Any, **options: Any) -> None:
        run = continue_run(named_run(options["run"]), by=COMMAND)
        wave, waves = position(run.pk)
        self.stdout.write(f"Run {run.pk} goes on with wave {wave} of {waves}.")
        if run.queued_to_workers and not workers_alive():
            self.stderr.write("No worker is alive: start one with `python manage.py worker` (or `up`).")
