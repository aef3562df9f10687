"""What tests of several rooms need."""

from collections.abc import Iterator

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.server import RunningServer, serve
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.tests.house import SLAVES, House


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
