"""An integration known on both sides, Kommo's consent page, and databases of their own for tests with processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings as real_settings
from psycopg import sql
from pytest_django import Settings

from accounts.models import Integration
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.oauth import integrated


@pytest.fixture
def both(world: World) -> tuple[Integration, SimIntegration]:
    """One integration, ours and the simulated Kommo's."""
    return integrated(world)


@pytest.fixture
def consent_page(simulator: RunningServer, settings: Settings, tmp_path: Path) -> RunningServer:
    """The simulated Kommo, its consent page included."""
    settings.KOMMO_OAUTH_URL = f"{simulator.url}/oauth"
    settings.STATIC_ROOT = tmp_path
    return simulator


# -- databases of their own: their tables are made once and copied --


def make_tables(database_url: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "accounts", "--skip-checks", "--verbosity", "0"]
    environment = {**os.environ, "DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "kommosync.settings_test"}
    subprocess.run(command, env=environment, cwd=real_settings.BASE_DIR, check=True, timeout=60)


@contextmanager
def database(server: str, name: str, template: str = "template1") -> Iterator[str]:
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


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tables") / "tables.sqlite3"
    make_tables(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite_url(sqlite_tables: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_tables, tmp_path / "own.sqlite3")
    return f"sqlite:///{tmp_path / 'own.sqlite3'}"


@pytest.fixture(scope="session")
def postgres_tables(postgres_url: str) -> Iterator[str]:
    name = f"tables_accounts_{os.getpid()}"
    with database(postgres_url, name) as url:
        make_tables(url)
        yield name


@pytest.fixture
def postgres_database_url(postgres_url: str, postgres_tables: str) -> Iterator[str]:
    with database(postgres_url, f"test_accounts_{os.getpid()}", postgres_tables) as url:
        yield url


@pytest.fixture(params=["sqlite_url", "postgres_database_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))
