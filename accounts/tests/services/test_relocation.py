"""An account that lives at another address now is found by its tokens, whatever its old address answers."""

from typing import Any

import pytest
from requests_mock import ANY, Mocker

from accounts.kommo.errors import KommoError
from accounts.models import Account, AccountEvent
from accounts.services.credentials.clients import client_for
from accounts.services.health.check import check_connection
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from accounts.tests.oauth import connected, integrated

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("simulator")]
ANSWERS = ["html_404", "json_404", "401"]


def long_lived(world: World, **facts: Any) -> Account:
    theirs = world.add_account("north")
    return AccountFactory(subdomain="north", token=theirs.token, **{"kommo_id": theirs.account_id, **facts})


def moved(world: World, answer: str) -> None:
    world.variants.former_address = answer
    world.rename_account("north", "north-2")


def read(account: Account) -> Any:
    with client_for(account, read_only=True) as client:
        return client.get_all("/leads/pipelines", "pipelines", page_size=None)


def paths(world: World) -> list[str]:
    return [record.path.removeprefix("/api/v4") for record in world.log]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_account_with_a_long_lived_token_is_found_at_its_new_address(world: World, answer: str) -> None:
    account = long_lived(world)
    moved(world, answer)

    assert read(account)

    account.refresh_from_db()
    assert account.subdomain == "north-2"
    assert account.events.get().code == AccountEvent.Code.RENAMED
    assert paths(world) == ["/leads/pipelines", "/oauth2/account/subdomain", "/account", "/leads/pipelines"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_account_with_a_pair_is_found_at_its_new_address(world: World, answer: str) -> None:
    ours, _ = integrated(world)
    account = connected(world, ours, "north")
    moved(world, answer)

    assert read(account)

    account.refresh_from_db()
    assert account.subdomain == "north-2"


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_check_finds_the_new_address_as_well(world: World, answer: str) -> None:
    account = long_lived(world)
    moved(world, answer)

    assert check_connection(account).health == Account.Health.CONNECTED
    account.refresh_from_db()
    assert account.subdomain == "north-2"


def test_a_refused_token_of_an_account_that_has_not_moved_stays_refused(world: World) -> None:
    account = long_lived(world)
    world.accounts["north"].revoke_token()

    with pytest.raises(KommoError) as refused:
        read(account)

    assert refused.value.code == "unauthorised"
    assert paths(world) == ["/leads/pipelines", "/oauth2/account/subdomain"]
    account.refresh_from_db()
    assert account.subdomain == "north"


def test_a_token_that_never_worked_moves_no_entry(world: World) -> None:
    """It may be another account's, typed into the wrong row: that one would be taken for this."""
    world.add_account("south")
    account = long_lived(world, kommo_id=None)
    account.token = world.accounts["south"].token

    with pytest.raises(KommoError) as refused:
        read(account)

    assert refused.value.code == "unauthorised"
    assert paths(world) == ["/leads/pipelines"]


def test_an_item_that_is_gone_is_no_reason_to_ask_where_the_account_is(world: World) -> None:
    account = long_lived(world)

    with client_for(account, read_only=True) as client:
        for _ in range(3):
            with pytest.raises(KommoError):
                client.get("/leads/pipelines/1")

    assert paths(world) == ["/leads/pipelines/1"] * 3


def test_where_the_account_is_is_asked_once_per_client(world: World) -> None:
    account = long_lived(world)
    del world.accounts["north"]
    world.former.add("north")
    world.variants.former_address = "json_404"

    with client_for(account, read_only=True) as client:
        for _ in range(3):
            with pytest.raises(KommoError) as gone:
                client.get("/leads/pipelines")

    assert (gone.value.code, "subdomain" in gone.value.remedy) == ("not_found", True)
    assert paths(world).count("/leads/pipelines") == 3
    assert len(world.log) == 4


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("https://north-2.kommo.com/api/v4/leads/pipelines?token=secret", "north-2.kommo.com"),
        ("//NORTH-2.kommo.com/", "north-2.kommo.com"),
        ("https://user:secret@north-2.kommo.com:8443/x", "north-2.kommo.com"),
        ("/login", "another address"),
        ("https://<script>secret</script>/", "another address"),
        ("https://[secret/", "another address"),
    ],
)
def test_a_redirect_names_its_host_alone_and_is_never_followed(
    world: World, requests_mock: Mocker, location: str, place: str
) -> None:
    account = long_lived(world)
    requests_mock.get(ANY, status_code=301, headers={"Location": location})

    with pytest.raises(KommoError) as redirected:
        read(account)

    error = redirected.value
    assert f"redirects to {place} (301)" in error.detail
    assert "secret" not in f"{error} {error.remedy}"
    assert "renamed" in error.remedy
    asked = [request.hostname for request in requests_mock.request_history]
    assert "north-2.kommo.com" not in asked
