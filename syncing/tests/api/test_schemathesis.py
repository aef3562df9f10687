"""Strangers' programs: schemathesis reads our OpenAPI document and asks a running server whether it is true."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from accounts.tests.laws import LAW_EXAMPLES, is_random, only_deep
from accounts.tests.tables import make_tables, postgres_database

HERE = Path(__file__).parent
PROGRAM = Path(sys.executable).with_name("schemathesis")
SEED = 12  # that of the gate


@contextmanager
def served(database_url: str) -> Iterator[dict[str, str]]:
    """Runs `served.py`; yields what it prints."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "kommosync.settings_test",
        "NOTIFY_SCHEMES": "tgram",  # leads to no host that could be looked up
    }
    program = "import django; django.setup(); from syncing.tests.api import served; served.main()"
    command = [sys.executable, "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR, text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait(30) == 0


def complaints(server: dict[str, str], examples: int, directory: Path) -> str:
    """Returns what schemathesis has to say; "" when it is content."""
    more = [] if is_random(os.environ) else ["--seed", str(SEED)]
    command = [str(PROGRAM), "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [
        f"http://127.0.0.1:{server['port']}/api/openapi.json",
        "--header",
        f"Authorization: Bearer {server['key']}",
    ]
    command += ["--checks", "all", "--max-examples", str(examples), *more]
    command += ["--generation-database", "none", "--continue-on-failure", "--no-color"]
    environment = {**os.environ, "PYTHONPATH": str(settings.BASE_DIR)}
    done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, timeout=400)
    said = done.stdout + done.stderr
    assert "Tested: " in said, said  # it did look
    return said if done.returncode else ""


@only_deep
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    make_tables(tmp_path / "api.sqlite3")
    with served(f"sqlite:///{tmp_path / 'api.sqlite3'}") as server:
        found = complaints(server, LAW_EXAMPLES // 2 or 5, tmp_path)
    assert not found, found


@only_deep
def test_schemathesis_finds_nothing_on_postgresql(tmp_path: Path, postgres_url: str, postgres_tables: str) -> None:
    with (
        postgres_database(postgres_url, f"test_schemathesis_{os.getpid()}", postgres_tables) as url,
        served(url) as server,
    ):
        found = complaints(server, LAW_EXAMPLES // 5 or 5, tmp_path)
    assert not found, found
