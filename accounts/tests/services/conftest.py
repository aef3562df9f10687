"""Accounts that are connected by OAuth with a simulated Kommo."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from accounts.kommo.oauth import Tokens
from accounts.models import Account, Integration, TokenPair
from accounts.services.credentials import token_pairs
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory

REDIRECT = "https://sync.example/oauth/callback"


class Kommo:
    """A world with one integration, and accounts that are connected with it on both sides."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sim = world.add_integration(redirect_uri=REDIRECT)
        self.integration = Integration.objects.create(
            name="KommoSync",
            client_id=self.sim.client_id,
            client_secret=self.sim.client_secret,
            redirect_uri=REDIRECT,
            is_public=True,
        )

    def connect(self, subdomain: str, *, age: timedelta = timedelta(0), **facts: Any) -> Account:
        """An account with the pair of a consent that is `age` old."""
        there = self.world.add_account(subdomain, **facts)
        account = AccountFactory(subdomain=subdomain, token="", kommo_id=there.account_id)
        pair = there.grants.issue(self.sim.client_id)
        token_pairs.store(account, self.integration, Tokens(pair.access, pair.refresh, 86400.0))
        if age:
            row = TokenPair.objects.get(pk=account.pk)
            row.obtained_at -= age
            row.access_expires_at -= age
            row.save()
        account.refresh_from_db()
        return account

    @property
    def refreshes(self) -> int:
        return sum(each.path.endswith("/oauth2/access_token") for each in self.world.log)


@pytest.fixture
def kommo(simulator: RunningServer, world: World, settings: Settings, transactional_db: None) -> Kommo:
    settings.KOMMO_OAUTH_URL = f"{simulator.url}/oauth"
    return Kommo(world)
