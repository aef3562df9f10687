"""Accounts connected by OAuth: ours and the simulated Kommo's, as after a consent."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Account, Integration, TokenPair
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory

REDIRECT = "https://sync.example/oauth/callback"
TOKEN_PATH = "/oauth2/access_token"


def integrated(world: World, **facts: Any) -> tuple[Integration, SimIntegration]:
    """One integration, known on both sides."""
    theirs = world.add_integration(redirect_uri=REDIRECT, **facts)
    ours = Integration.objects.create(
        name=theirs.name,
        client_id=theirs.client_id,
        client_secret=theirs.client_secret,
        redirect_uri=theirs.redirect_uri,
        is_public=theirs.is_public,
    )
    return ours, theirs


def connected(world: World, integration: Integration, subdomain: str, *, lives: float = 86400, **facts: Any) -> Account:
    """An account with a pair; `lives`: seconds that we believe the access token has. It is made in Kommo if need be."""
    theirs = world.accounts.get(subdomain) or world.add_account(subdomain)
    pair = theirs.grants.issue(integration.client_id)
    facts = {"kommo_id": theirs.account_id, "token": "", "credential_kind": "oauth", **facts}
    account = AccountFactory(subdomain=subdomain, integration=integration, **facts)
    now = timezone.now()
    TokenPair.objects.create(
        account=account,
        integration=integration,
        access_token=pair.access,
        refresh_token=pair.refresh,
        access_expires_at=now + timedelta(seconds=lives),
        obtained_at=now - timedelta(hours=1),
    )
    return account


def refreshes(world: World) -> int:
    """Requests to the token endpoint so far."""
    return sum(record.path == TOKEN_PATH for record in world.log)
