"""What the errors of a database tell: real ones, of databases of the tests' own."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection
from django.db.backends.postgresql.base import DatabaseWrapper as Postgres
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite

from accounts.database import trouble_of

DEFAULTS = {
    "TIME_ZONE": None,
    "CONN_HEALTH_CHECKS": False,
    "CONN_MAX_AGE": 0,
    "AUTOCOMMIT": True,
    "ATOMIC_REQUESTS": False,
}


def error_of(wrapper: Any, *statements: str) -> DatabaseError:
    try:
        with wrapper.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except (DatabaseError, InterfaceError) as error:
        return error
    finally:
        wrapper.close()
    raise AssertionError("no error")


def sqlite(name: object, **options: object) -> SQLite:
    settings = {**DEFAULTS, "NAME": str(name), "OPTIONS": {"timeout": 0.01, **options}}
    return SQLite(settings, "other")  # type: ignore[arg-type]


def locked(path: Path) -> DatabaseError:
    holder = sqlite3.connect(path)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        return error_of(sqlite(path), "CREATE TABLE t (x)")
    finally:
        holder.close()


def full(path: Path) -> DatabaseError:
    fill = "INSERT INTO t VALUES (randomblob(100000))"
    return error_of(sqlite(path), "PRAGMA max_page_count = 4", "CREATE TABLE t (x)", fill)


def read_only(path: Path) -> DatabaseError:
    sqlite3.connect(path).close()
    return error_of(sqlite(f"file:{path}?mode=ro", uri=True), "CREATE TABLE t (x)")


def gone(path: Path) -> DatabaseError:
    return error_of(sqlite(path / "nowhere" / "db"), "SELECT 1")


def damaged(path: Path) -> DatabaseError:
    path.write_bytes(b"no database at all " * 100)
    return error_of(sqlite(path), "SELECT * FROM sqlite_master")


def never_migrated(path: Path) -> DatabaseError:
    return error_of(sqlite(path), "SELECT * FROM accounts_account")


def stopped(path: Path) -> DatabaseError:
    settings = {**DEFAULTS, "NAME": "x", "USER": "x", "PASSWORD": "", "HOST": "127.0.0.1", "PORT": 1}
    return error_of(Postgres({**settings, "OPTIONS": {}}, "other"), "SELECT 1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "code", "passes"),
    [
        (locked, "database_locked", True),
        (full, "disk_full", True),
        (read_only, "database_read_only", False),
        (gone, "database_away", False),
        (damaged, "database_damaged", False),
        (never_migrated, "not_migrated", False),
        (stopped, "database_away", False),
    ],
)
@pytest.mark.django_db
def test_the_cause_is_told_by_its_own_name(
    tmp_path: Path, make: Callable[[Path], DatabaseError], code: str, passes: bool
) -> None:
    trouble = trouble_of(make(tmp_path / "db"))

    assert trouble is not None
    assert (trouble.code, trouble.passes) == (code, passes)
    assert trouble.message
    assert trouble.remedy


@pytest.mark.parametrize("sql", ["SELECT nonsense", "INSERT INTO accounts_syncgroup (id) VALUES (1)"])
@pytest.mark.django_db
def test_a_database_that_serves_and_refuses_is_no_trouble(sql: str) -> None:
    assert trouble_of(error_of(connection, sql)) is None


def test_other_errors_are_no_trouble_of_the_database() -> None:
    assert trouble_of(ValueError("database is locked")) is None
    assert trouble_of(IntegrityError("UNIQUE constraint failed")) is None
    assert trouble_of(None) is None


def test_a_connection_that_is_closed_is_a_database_that_is_away() -> None:
    for error in (OperationalError("the connection is closed"), InterfaceError("connection already closed")):
        trouble = trouble_of(error)
        assert trouble is not None
        assert trouble.code == "database_away"
