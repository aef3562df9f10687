"""Databases of their own, for tests with processes of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from psycopg import sql


def make_tables(database_url: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "accounts", "--skip-checks", "--verbosity", "0"]
    environment = {**os.environ, "DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "kommosync.settings_test"}
    subprocess.run(command, env=environment, cwd=settings.BASE_DIR, check=True, timeout=60)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'own.sqlite3'}"
    make_tables(url)
    return url


@pytest.fixture
def postgres_database_url(postgres_url: str) -> Iterator[str]:
    name = f"test_accounts_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = f"{postgres_url.rsplit('/', 1)[0]}/{name}"
        make_tables(url)
        yield url
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(params=["sqlite_url", "postgres_database_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))
