"""`manage.py setup`, as a new user runs it: in a process of its own, on nothing."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from accounts.tests.tables import make_tables
from syncing.operations.envfile import ROOT, child_environment, read
from syncing.operations.setup_steps import machine_zone


def setup(env_file: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "setup", *options],
        cwd=ROOT,
        env={**child_environment(env_file), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_makes_everything_once_and_finds_it_there_the_second_time(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    first = setup(env_file, VAR_DIR=str(tmp_path / "var"))
    assert first.returncode == 0, first.stderr
    assert "secrets      done: SECRET_KEY, FIELD_ENCRYPTION_KEYS" in first.stdout
    assert len(re.findall(r"Password of admin, shown only this once: \S{20}$", first.stdout, re.MULTILINE)) == 1
    assert "roles        done: viewer, operator, approver, administrator" in first.stdout
    assert env_file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "var" / "static" / "admin" / "css" / "base.css").is_file()
    before = env_file.read_text()

    second = setup(env_file, VAR_DIR=str(tmp_path / "var"))

    assert second.returncode == 0, second.stderr
    assert second.stdout.count("already there") == 5
    assert "Password" not in second.stdout
    assert env_file.read_text() == before


def test_secrets_that_the_environment_gives_are_not_written_to_a_file(tmp_path: Path) -> None:
    given = {
        "SECRET_KEY": "x" * 60,
        "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "VAR_DIR": str(tmp_path / "var"),
    }
    (tmp_path / "var").mkdir()
    make_tables(tmp_path / "var" / "kommosync.sqlite3")
    done = setup(tmp_path / ".env", **given)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".env").exists()


def test_another_file_is_the_whole_truth_and_the_environment_is_not_asked(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(f"VAR_DIR={tmp_path / 'there'}\n")
    database = tmp_path / "there" / "kommosync.sqlite3"
    database.parent.mkdir()
    make_tables(database)
    done = setup(tmp_path / ".env", "--env", str(other), VAR_DIR=str(tmp_path / "here"), SECRET_KEY="y" * 60)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT username FROM auth_user").fetchall() == [("admin",)]
    assert not (tmp_path / "here" / "kommosync.sqlite3").exists()
    assert read(other)["SECRET_KEY"] not in ("", "y" * 60)


def test_a_database_that_cannot_be_reached_is_said_in_one_line(tmp_path: Path) -> None:
    done = setup(tmp_path / ".env", DATABASE_URL="postgres://nobody@127.0.0.1:1/none", VAR_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "The database of DATABASE_URL cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_value_in_the_file_is_named_and_nothing_is_done(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("KOMMO_TIMEOUT=soon\n")
    done = setup(env_file)
    assert done.returncode == 2
    assert done.stderr == ("Configuration error: KOMMO_TIMEOUT is 'soon'; it must be a number from 0.1 to 600.\n")
    assert env_file.read_text() == "KOMMO_TIMEOUT=soon\n"


def test_a_line_that_is_no_assignment_is_named_by_number_without_its_text(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("DEBUG=off\nSECRET_KEY = token-of-north\n")
    done = setup(env_file)
    assert done.returncode == 2
    assert "line 2" in done.stderr
    assert "token-of-north" not in done.stderr


def test_reading_the_file_does_not_change_the_environment_of_child_processes(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(f"VAR_DIR={tmp_path}\nLOG_LEVEL=ERROR\n")
    code = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'kommosync.settings';"
        "from django.conf import settings; print(settings.LOGGING['root']['level'], os.environ.get('LOG_LEVEL'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=child_environment(env_file, PYTHONPATH=os.pathsep.join([str(ROOT)])),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["ERROR", "None"], done.stderr


def test_a_new_installation_gets_the_time_zone_of_the_machine_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    var = tmp_path / "var"
    var.mkdir()
    make_tables(var / "kommosync.sqlite3")
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("TIME_ZONE=Asia/Tokyo\n")
    done = setup(new, VAR_DIR=str(var))
    zone = machine_zone()
    assert read(new)["TIME_ZONE"] == (zone or "UTC")
    assert (f"time zone    done: {zone}" in done.stdout) is bool(zone)
    setup(old, VAR_DIR=str(var))
    assert read(old)["TIME_ZONE"] == "Asia/Tokyo"


def test_the_zone_of_the_machine_is_the_named_or_the_linked_one(tmp_path: Path) -> None:
    name, rules, link = tmp_path / "timezone", tmp_path / "zoneinfo" / "America" / "Lima", tmp_path / "localtime"
    link.symlink_to(rules)
    assert machine_zone(name, link) == "America/Lima"
    name.write_text("Europe/Lisbon\n")
    assert machine_zone(name, link) == "Europe/Lisbon"
    name.write_text("nonsense\n")
    assert machine_zone(name, link) == "America/Lima"
    assert machine_zone(name, tmp_path / "none") == ""
