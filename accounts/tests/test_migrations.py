"""What installations of before hold is kept when their tables change."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.models import Account, Integration, TokenPair
from accounts.tests.laws import only_deep

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def before() -> Iterator[Any]:
    """The models of the first release."""
    executor = MigrationExecutor(connection)
    executor.migrate([("accounts", "0001_initial")])
    yield executor.loader.project_state([("accounts", "0001_initial")]).apps
    after()


def after() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@only_deep
def test_credentials_of_oauth_move_to_integrations_and_pairs_still_encrypted(before: Any) -> None:
    group = before.get_model("accounts", "SyncGroup").objects.create(name="Branches")
    old = before.get_model("accounts", "Account").objects
    common = {"group": group, "client_id": "id-1", "client_secret": "secret-1", "redirect_uri": "https://a.example/cb"}
    old.create(subdomain="north", credential_kind="oauth", refresh_token="refresh-north", **common)
    old.create(subdomain="south", credential_kind="oauth", refresh_token="refresh-south", **common)
    old.create(subdomain="west", group=group, token="token-of-west")
    after()
    integration = Integration.objects.get()
    assert (integration.client_id, integration.client_secret) == ("id-1", "secret-1")
    assert (integration.redirect_uri, integration.is_public) == ("https://a.example/cb", True)
    north = Account.objects.get(subdomain="north")
    assert (north.integration, north.pair.refresh_token, north.pair.integration) == (
        *(integration, "refresh-north"),
        integration,
    )
    west = Account.objects.get(subdomain="west")
    assert (west.token, west.integration) == ("token-of-west", None)
    assert TokenPair.objects.count() == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT refresh_token FROM accounts_tokenpair")
        assert all(value.startswith("gAAAA") for (value,) in cursor.fetchall())
