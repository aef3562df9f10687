"""An integration known on both sides, Kommo's consent page, and databases of their own for tests with processes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.models import Integration
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.oauth import integrated
from accounts.tests.tables import make_tables, postgres_database


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


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    make_tables(tmp_path / "own.sqlite3")
    return f"sqlite:///{tmp_path / 'own.sqlite3'}"


@pytest.fixture
def postgres_database_url(postgres_url: str, postgres_tables: str) -> Iterator[str]:
    with postgres_database(postgres_url, f"test_accounts_{os.getpid()}", postgres_tables) as url:
        yield url


@pytest.fixture(params=["sqlite_url", "postgres_database_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))
