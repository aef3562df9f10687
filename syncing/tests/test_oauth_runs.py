"""Runs over accounts that are connected by OAuth: expired at the start, revoked in the middle, moved, uninstalled."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from accounts import slots
from accounts.models import Account, Integration, TokenPair
from accounts.simulator.faults import Fault
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from accounts.tests.oauth import TOKEN_PATH, connected, integrated, refreshes
from accounts.tests.test_slots import peak_per_second
from syncing.models import AccountRun, LogEntry, SyncRun
from syncing.tests.commands import document, sync

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def both(simulator: RunningServer, world: World) -> Iterator[tuple[Integration, SimIntegration]]:
    """A master with a long-lived token; its slaves come by OAuth."""
    master = world.add_account("master")
    master.add_pipeline("Sales", stages=["New", "Offer"])
    AccountFactory(master=True, token=master.token, kommo_id=master.account_id)
    yield integrated(world)
    slots.close()


@pytest.fixture
def ours(both: tuple[Integration, SimIntegration]) -> Integration:
    return both[0]


def states(doc: dict) -> dict[str, tuple[str, str | None]]:
    return {each["subdomain"]: (each["state"], each["reason"]) for each in doc["accounts"]}


def test_119_expired_accounts_cost_119_refreshes_at_the_start_of_a_run_all_within_the_pace(
    ours, world, settings: Settings
) -> None:
    settings.KOMMO_SLOTS = "accounts.slots.SqlSlots"
    settings.KOMMO_RATE_PER_IP = 100
    for number in range(119):
        connected(world, ours, f"unit-{number}", lives=-10)
        world.accounts[f"unit-{number}"].grants.expire()
    code, doc = document("--type", "pipelines", "--plan")
    assert code == 0
    assert refreshes(world) == 119
    assert {each["requests"] for each in doc["accounts"]} == {2}
    assert peak_per_second([record.at for record in world.log]) <= 100


def test_a_grant_revoked_in_the_middle_fails_that_account_with_the_reason_and_the_others_go_on(both, world) -> None:
    for name in ("north", "south"):
        connected(world, both[0], name)
    # After its first answer, Kommo refuses north's token; so does the token endpoint.
    world.faults.add(Fault("401", subdomain="north", path="/api/v4", skip=1, times=None))
    hint = '{"hint": "Token has been revoked", "detail": "x", "status": 401}'
    world.faults.add(Fault("answer", subdomain="north", path=TOKEN_PATH, status=401, body=hint, times=None))
    code, doc = document()
    assert code == 1
    assert states(doc) == {"north": ("failed", "token_revoked"), "south": ("changed", None)}
    error = next(each["error"] for each in doc["accounts"] if each["subdomain"] == "north")
    assert "revoked" in error["message"]
    assert "Connect" in error["remedy"]
    north = Account.objects.get(subdomain="north")
    assert north.health == Account.Health.RECONNECT
    assert refreshes(world) == 1


def test_the_next_run_asks_nothing_of_an_account_that_needs_reconnecting(both, world) -> None:
    ours, theirs = both
    connected(world, ours, "north", lives=-10)
    world.accounts["north"].uninstall(theirs)
    sync()
    world.log.clear()
    _, doc = document()
    assert states(doc)["north"] == ("failed", "token_revoked")
    assert world.log.by_account["north"] == 0


def test_an_uninstalled_account_fails_without_a_request_and_stays_disconnected(both, client, world) -> None:
    ours, theirs = both
    connected(world, ours, "north", health="connected")
    client.get(f"/oauth/disabled?{world.accounts['north'].uninstall(theirs)}")
    world.log.clear()
    _, doc = document()
    assert states(doc)["north"] == ("failed", "unauthorised")
    assert world.log.by_account["north"] == 0
    assert Account.objects.get(subdomain="north").health == Account.Health.DISCONNECTED


def test_a_renamed_account_is_found_again_in_the_run_and_synced(ours, world) -> None:
    connected(world, ours, "north")
    world.rename_account("north", "north-2")
    code, doc = document()
    assert code == 0
    assert states(doc) == {"north-2": ("changed", None)}
    assert Account.objects.filter(subdomain="north-2", health="connected").exists()


def test_another_account_behind_the_subdomain_is_never_written(ours, world) -> None:
    connected(world, ours, "north", kommo_id=12345)
    code, doc = document()
    assert code == 1
    assert states(doc)["north"] == ("failed", "wrong_account")
    assert not [record for record in world.log.of("north") if record.method != "GET"]


def test_a_token_endpoint_that_is_down_fails_the_account_for_now_and_the_next_run_syncs_it(ours, world) -> None:
    connected(world, ours, "north", lives=-10)
    world.faults.add(Fault("500", path=TOKEN_PATH, times=None))
    _, doc = document()
    assert states(doc)["north"] == ("failed", "server_error")
    world.faults.clear()
    code, _ = document()
    assert code == 0


def test_no_secret_of_a_run_lies_in_a_column_that_is_not_encrypted(both, world, caplog) -> None:
    ours, theirs = both
    connected(world, ours, "north", lives=-10)
    connected(world, ours, "south", lives=-10)
    world.accounts["south"].uninstall(theirs)
    caplog.set_level("DEBUG")
    _, out, errors = sync("--json")
    pairs = TokenPair.objects.all()
    secrets = {each for pair in pairs for each in (pair.access_token, pair.refresh_token)}
    secrets |= {ours.client_secret, *(pair.access for pair in world.accounts["north"].grants.pairs.values())}
    told = [out, errors, caplog.text]
    for model in (SyncRun, AccountRun, LogEntry):
        told += [str(row) for row in model.objects.values()]
    assert not [secret for secret in secrets if any(secret in text for text in told)]
