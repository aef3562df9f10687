"""`manage.py demo`, small: from nothing to all slaves in sync, again, and what it never touches."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from accounts.tests.laws import only_deep
from accounts.tests.simulator.browsing import PlainBrowser
from accounts.tests.tables import make_tables
from syncing.operations import demo
from syncing.operations.child_processes import free_port
from syncing.operations.envfile import ROOT, child_environment
from syncing.tests.installation import PATIENCE, wait_until


def start(directory: Path, *options: str) -> subprocess.Popen[str]:
    # A database of the real thing that must not be touched: nothing could be reached there.
    env = child_environment(Path(os.devnull), VAR_DIR=str(directory), DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", *options],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(directory: Path, *options: str) -> tuple[int, str]:
    process = start(directory, "--no-serve", *options)
    said, _ = process.communicate(timeout=100)
    return process.returncode, said


def left_behind(directory: Path) -> list[str]:
    """The command lines of processes that still name the directory in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"KOMMOSYNC_ENV_FILE={directory}".encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
    return found


def serve(directory: Path, port: int, look: Callable[[], None]) -> tuple[int, str]:
    """The demo with its dashboard, told to stop as soon as a person has looked; exit code and output."""
    process = start(directory, "--port", str(port))
    lines = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C stops"):
                look()
                break
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
    return process.returncode, "".join(lines) + rest


def first_page(port: int, password: str) -> str:
    """The page after the login."""
    opener = build_opener(HTTPCookieProcessor())
    url = f"http://127.0.0.1:{port}/"
    with opener.open(url, timeout=60) as page:
        found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
        login = page.url
    assert found is not None
    form = {"csrfmiddlewaretoken": found[1], "username": "admin", "password": password, "next": "/"}
    with opener.open(login, data=urlencode(form).encode(), timeout=60) as page:
        return str(page.read().decode())


def runs(directory: Path) -> list[tuple[Any, ...]]:
    """Trigger and state of every run, and how many of its accounts were changed and verified; the newest first."""
    sql = """SELECT r.trigger, r.state, SUM(a.state = 'changed') FROM syncing_syncrun r
        LEFT JOIN syncing_accountrun a ON a.run_id = r.id GROUP BY r.id ORDER BY r.id DESC"""
    with closing(sqlite3.connect(directory / "demo" / "kommosync.sqlite3", timeout=20)) as connection:
        return connection.execute(sql).fetchall()


def add_a_stage_and_do_nothing_else(directory: Path) -> None:
    """What README promises of the page to play on."""
    simulator = json.loads((directory / "demo" / "demo.json").read_text())["port"]
    browser = PlainBrowser(f"http://127.0.0.1:{simulator}")
    page = browser.submit(browser.open().form("add-stage"), name="Visit")
    assert "Added the stage “Visit”" in page.said
    assert "0 of 3 slaves have all that the master has" in page.said
    wait_until(lambda: runs(directory)[0] == ("watch", "succeeded", 3), PATIENCE, "run of the watcher")
    page = browser.open()
    assert "All 3 slaves have it" in page.said
    assert "3 of 3 slaves have all that the master has" in page.said


def first_demo(directory: Path) -> str:
    """Runs the demo once; returns the password that it tells."""
    code, said = run(directory, "--slaves", "3")
    assert code == 0, said
    assert re.search(r"^3 of 3 slaves changed and verified", said, re.MULTILINE), said
    (password,) = re.findall(r"password: (\S{20}) ", said)
    assert left_behind(directory) == []
    return password


@only_deep
@pytest.mark.timeout(300)
def test_the_first_demo_changes_every_slave_and_another_number_of_slaves_has_to_start_over(tmp_path: Path) -> None:
    first_demo(tmp_path)
    code, said = run(tmp_path, "--slaves", "4")
    assert code == 1
    assert "--reset --slaves 4" in said


@only_deep
@pytest.mark.timeout(300)
def test_the_next_demo_follows_its_master_by_itself(tmp_path: Path) -> None:
    password, port = first_demo(tmp_path), free_port()

    def look() -> None:
        page = first_page(port, password)
        assert re.search(r'<a href="http://127\.0\.0\.1:\d+/play">Play with the simulated Kommo</a>', page), page
        add_a_stage_and_do_nothing_else(tmp_path)

    code, said = serve(tmp_path, port, look)
    assert code == 0, said
    assert re.search(r"^3 of 3 slaves in sync", said, re.MULTILINE), said
    assert f"http://127.0.0.1:{port} " in said
    assert re.search(r"^Play with the simulated Kommo: http://127\.0\.0\.1:\d+/play$", said, re.MULTILINE), said
    assert not re.search(r"password: \S{20} ", said)
    assert left_behind(tmp_path) == []


def test_a_demo_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    make_tables(tmp_path / "demo" / "kommosync.sqlite3")
    process = start(tmp_path, "--slaves", "2", "--port", str(free_port()))
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Starting the worker"):
            break
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while left := left_behind(tmp_path):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def test_the_summary_never_calls_a_bad_slave_good() -> None:
    accounts = [{"state": "changed"}, {"state": "in_sync"}, {"state": "partial"}, {"state": "failed"}]
    assert demo.summary(accounts, 2.0) == (
        "1 of 4 slaves in sync, 1 of 4 slaves changed and verified, 2 of 4 slaves NOT in sync (2.0 s)"
    )
