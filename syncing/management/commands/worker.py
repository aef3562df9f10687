"""`worker`: works queued runs until it is stopped."""

import sys
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand

from accounts.checks import INSTALLATION
from syncing.management.console.output import write_line
from syncing.worker.supervisor import ClusterSupervisor


class Command(BaseCommand):
    help = "Executes queued runs, in SYNC_WORKERS lanes; ends cleanly on SIGTERM or Ctrl-C."
    requires_system_checks = (INSTALLATION,)

    def handle(self, *args: Any, **options: Any) -> None:
        code = ClusterSupervisor(partial(write_line, self.stdout)).run()
        if code:
            sys.exit(code)
