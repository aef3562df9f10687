"""SQLite files with all tables for tests that start processes: made once in a test run, then copied."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

OF_ONE_RUN = re.compile(r"pytest-\d+")  # pytest's directory of a test run, shared by all its processes


def make_tables(file: Path) -> None:
    """Writes a migrated, empty database at `file`, which lies in a `tmp_path`."""
    shared = next((parent for parent in file.parents if OF_ONE_RUN.fullmatch(parent.name)), file.parent)
    template = shared / "tables.sqlite3"
    with open(shared / "tables.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            _migrate(template)
    shutil.copyfile(template, file)


def _migrate(file: Path) -> None:
    environment = {
        **os.environ, "DATABASE_URL": f"sqlite:///{file}", "DJANGO_SETTINGS_MODULE": "kommosync.settings_test"
    }  # fmt: skip
    command = [sys.executable, "manage.py", "migrate", "--skip-checks", "--verbosity", "0"]
    subprocess.run(command, env=environment, cwd=settings.BASE_DIR, check=True, timeout=90)
