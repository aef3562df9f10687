"""`manage.py setup`: everything that must be there before the first start; may be repeated at any time."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError

from accounts.database import cause_of
from accounts.management.base import RefusingCommand
from syncing.operations import envfile, setup_steps
from syncing.operations.child_processes import MANAGE


class Command(RefusingCommand):
    help = "Make .env with generated secrets, the database, the static files, the roles and a superuser. Idempotent."
    requires_system_checks: list[str] = []  # it is what makes them pass

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--env", type=Path, metavar="FILE", help="this file instead of .env, and nothing from the environment"
        )
        parser.add_argument(
            "--new-password", action="store_true", help="give the superuser another password and print it"
        )

    def handle(self, *args: Any, env: Path | None, new_password: bool, **options: Any) -> None:
        path = (env or settings.ENV_FILE).absolute()
        # What the process's own environment gives needs no place in the file.
        given = () if env else [name for name in envfile.SECRETS if os.environ.get(name)]
        added = self._complete(path, [name for name in envfile.SECRETS if name not in given])
        if added or path != settings.ENV_FILE:
            # The rest needs the settings as the file now has them, so a process of its own reads them afresh.
            self.stdout.flush()
            variables = {**(envfile.child_environment(path) if env else os.environ), "KOMMOSYNC_ENV_FILE": str(path)}
            command = [*MANAGE, "setup", *(["--new-password"] if new_password else [])]
            ended = subprocess.run(command, env=variables, check=False)  # noqa: S603
            if ended.returncode:
                sys.exit(ended.returncode)
            return
        self.stdout.write(str(setup_steps.SetupStep("settings", False, path.name)))
        try:
            for step in setup_steps.steps(new_password=new_password):
                self.stdout.write(str(step))
        except OperationalError as error:
            raise CommandError(f"The database of DATABASE_URL cannot be used: {cause_of(error)}") from error

    def _complete(self, path: Path, names: list[str]) -> list[str]:
        if not names:
            return []
        if path.exists() and not path.is_file():
            raise CommandError(f"{path} is not a file that could hold {' and '.join(names)}.")
        wanted = {name: envfile.SECRETS[name] for name in names}
        zone = "" if path.exists() else setup_steps.machine_zone()
        if zone:  # an installation that is there keeps its own
            wanted["TIME_ZONE"] = lambda: zone
        try:
            added = envfile.complete(path, wanted)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from error
        if secrets := [name for name in added if name in names]:
            self.stdout.write(str(setup_steps.SetupStep("secrets", True, f"{', '.join(secrets)} in {path.name}")))
        if zone:
            detail = f"{zone}, as this machine has it; TIME_ZONE in {path.name} changes it"
            self.stdout.write(str(setup_steps.SetupStep("time zone", True, detail)))
        return added
