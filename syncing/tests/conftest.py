"""What tests of several rooms need."""

from collections.abc import Iterator

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.server import RunningServer, serve
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory


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
