"""The last look: a process that slept while it was connecting sends nothing when it wakes."""

import pytest

from accounts.kommo.checked_connections import CheckedAdapter
from accounts.kommo.stopping import Stop, Stopped
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.kommo.world import make_client


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_was_stopped_while_it_connected_is_not_sent(simulator: RunningServer, world: World, method: str) -> None:
    world.add_account("north")
    looks: list[int] = []

    def watch() -> str:
        """The first two looks are those before the connection is made."""
        looks.append(1)
        return "lost_claim" if len(looks) > 2 else ""

    client = make_client(base_url=simulator.url_template.format(subdomain="north"), stop=Stop(watch=watch))
    with client, pytest.raises(Stopped, match="lost_claim") as stopped:
        getattr(client, method)("/leads/pipelines", *([[{"name": "Sales"}]] if method == "post" else []))

    assert len(looks) == 3
    assert not stopped.value.outcome_unknown
    assert stopped.value.path == "/leads/pipelines"
    assert list(world.log.of("north")) == []


def test_a_proxy_is_looked_at_too() -> None:
    adapter = CheckedAdapter(lambda: None)

    manager = adapter.proxy_manager_for("http://127.0.0.1:3128")

    assert {pool.__name__ for pool in manager.pool_classes_by_scheme.values()} == {"Pool"}
    assert adapter.proxy_manager_for("http://127.0.0.1:3128") is manager
