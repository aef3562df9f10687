"""What tests of several rooms need."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from accounts.simulator.account import SimAccount
from accounts.simulator.server import RunningServer, serve
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory, GroupFactory
from accounts.tests.redis_databases import redis_database
from accounts.tests.tables import postgres_database
from syncing.tests.house import SLAVES, House
from syncing.tests.installation import Installation


@pytest.fixture(scope="session")
def anywhere() -> Iterator[RunningServer]:
    """One server for the worlds of all laws: each example puts a world of its own into it (`law_scenes.scene_of`)."""
    with serve(World()) as running:
        yield running


@pytest.fixture
def master(simulator: RunningServer, world: World) -> SimAccount:
    """The usual cast, over HTTP; the master has a pipeline that no slave has."""
    for name, account in AccountFactory.cast().items():
        account.token = world.add_account(name).token
        account.save()
    found = world.accounts["master"]
    found.add_pipeline("Sales <b>", stages=["New", "Offer"])
    return found


@pytest.fixture
def house(transactional_db: None, simulator: RunningServer, world: World) -> House:
    """The usual cast; the master has a pipeline and its predefined fields, as every new account."""
    for name in ("master", *SLAVES):
        world.add_account(name)
    group = GroupFactory()
    accounts = AccountFactory.cast(group)
    for account in accounts.values():
        account.token = world.accounts[account.subdomain].token
        account.save()
    return House(group, world, accounts)


@pytest.fixture
def make(tmp_path: Path, request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[object]:
    """Makes an installation on a backend, for a world; everything is gone afterwards."""
    with ExitStack() as stack:

        def build(world: World, backend: str = "sqlite", *, latency: float = 0.0, **env: str) -> Installation:
            if "postgres" in backend:
                url = request.getfixturevalue("postgres_url")
                tables = request.getfixturevalue("postgres_tables")
                name = f"kommosync_e2e_{os.getpid()}"
                env["DATABASE_URL"] = stack.enter_context(postgres_database(url, name, tables))
            if "redis" in backend:
                env["REDIS_URL"] = stack.enter_context(redis_database(request.getfixturevalue("redis_server")))
            server = stack.enter_context(serve(world, latency=latency))
            return stack.enter_context(Installation(tmp_path, world, server, django_db_blocker, **env))

        yield build
