"""Databases that have all tables already: migrated once for a state of the migrations, then copied.

The file that is copied stays in `var/` for the next test run; another state of the migrations makes another.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import django
import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader
from environ import Env
from psycopg import sql

PREFIX = "test-tables"  # `make clean` removes var/test-*.sqlite3*


def make_tables(file: Path) -> None:
    """Writes a migrated SQLite database without data at `file`."""
    shutil.copyfile(_template(), file)


def migrate(database_url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "kommosync.settings_test"}
    command = [sys.executable, "manage.py", "migrate", "--skip-checks", "--verbosity", "0"]
    subprocess.run(command, env=environment, cwd=settings.BASE_DIR, check=True, timeout=90)


@cache
def _template() -> Path:
    directory = settings.BASE_DIR / "var"
    directory.mkdir(exist_ok=True)
    made = directory / f"{PREFIX}-{_state_of_migrations()}.sqlite3"
    with open(directory / f"{PREFIX}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            for old in directory.glob(f"{PREFIX}-*.sqlite3*"):
                old.unlink()
            growing = made.with_name(f"{PREFIX}-growing.sqlite3")
            migrate(f"sqlite:///{growing}")
            growing.rename(made)
    return made


def _state_of_migrations() -> str:
    """Another text for every change of a migration, of their list, or of Django."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    files = sorted({sys.modules[each.__module__].__file__ or "" for each in loader.disk_migrations.values()})
    state = hashlib.sha256(django.__version__.encode())
    for file in files:
        state.update(file.encode() + Path(file).read_bytes())
    return state.hexdigest()[:16]


@contextmanager
def connected(database_url: str) -> Iterator[str]:
    """Lets this process use a database beside its own; yields the alias for `using`."""
    alias = "beside"
    known = connections.configure_settings({DEFAULT_DB_ALIAS: {}, alias: dict(Env.db_url_config(database_url))})
    connections.settings[alias] = known[alias]
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections[alias], connections.settings[alias]


@contextmanager
def postgres_database(server: str, name: str, template: str = "template1") -> Iterator[str]:
    """A fresh database on a PostgreSQL server, as a copy of `template`; its URL."""
    with psycopg.connect(server, autocommit=True) as admin:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        admin.execute(drop)
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield f"{server.rsplit('/', 1)[0]}/{name}"
        finally:
            admin.execute(drop)


@contextmanager
def shared_postgres_tables(server: str, name: str) -> Iterator[str]:
    """A migrated database without data, one for all processes that name it; the last of them drops it.

    Who makes or drops it holds one lock for as long as that takes; who uses it shares another one.
    """
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        admin.execute("SELECT pg_advisory_lock_shared(hashtext(%s))", [f"{name} in use"])
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            migrate(f"{server.rsplit('/', 1)[0]}/{name}")
        admin.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])
        try:
            yield name
        finally:
            admin.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
            admin.execute("SELECT pg_advisory_unlock_shared(hashtext(%s))", [f"{name} in use"])
            unused = admin.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [f"{name} in use"]).fetchone()
            if unused and unused[0]:
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
