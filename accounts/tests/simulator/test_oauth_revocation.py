"""Uninstalling, a new secret, and the signature of the disable hook (docs/kommo.md 1.3, 1.8)."""

import hashlib
import hmac
from urllib.parse import parse_qsl

import pytest

from accounts.tests.simulator.oauth import REDIRECT, Integrator, hinted

REVOKED = (401, "Token has been revoked")


@pytest.fixture
def integration(world):
    return world.add_integration(redirect_uri=REDIRECT)


@pytest.fixture
def integrator(app, account, integration):
    return Integrator(app, integration)


def test_an_uninstalled_integration_has_no_good_token_left_in_that_account(
    world, integrator, account, integration, south
):
    pairs = [integrator.connect(), integrator.connect()]
    pairs.append(integrator.refresh(pairs[1]["refresh_token"]).body)
    elsewhere, code = integrator.connect("south"), integrator.allowed()["code"]
    long_lived = account.token
    account.uninstall(integration)
    assert [integrator.status(pair) for pair in pairs] == [401] * 3
    assert [hinted(integrator.refresh(pair["refresh_token"])) for pair in pairs] == [REVOKED] * 3
    assert hinted(integrator.redeem(code)) == (400, "Authorization code has been revoked")
    assert integrator.status(elsewhere, "south") == 200
    assert integrator.refresh(elsewhere["refresh_token"], "south").status == 200
    assert account.accepts(long_lived)


def test_another_integration_of_the_account_keeps_its_grant(world, app, account, integrator):
    other = world.add_integration(redirect_uri=REDIRECT)
    pair = integrator.connect()
    Integrator(app, other).connect()
    account.uninstall(other)
    assert integrator.status(pair) == 200


def test_an_uninstalled_integration_can_be_allowed_again(integrator, account, integration):
    integrator.connect()
    account.uninstall(integration)
    assert integrator.status(integrator.connect()) == 200


def test_the_disable_hook_is_signed_with_the_secret(account, integration):
    query = dict(parse_qsl(account.uninstall(integration)))
    signed = f"{integration.client_id}|{account.account_id}".encode()
    expected = hmac.new(integration.client_secret.encode(), signed, hashlib.sha256).hexdigest()
    assert query == {
        "client_uuid": integration.client_id,
        "account_id": str(account.account_id),
        "signature": expected,
    }


def test_a_new_secret_replaces_the_old_and_leaves_the_grants_of_a_public_one(world, integrator, integration):
    pair, old = integrator.connect(), integration.client_secret
    assert world.new_secret(integration) == integration.client_secret != old
    parameters = integrator.parameters("refresh_token", pair["refresh_token"])
    assert integrator.send({**parameters, "client_secret": old}).status == 401
    assert integrator.status(pair) == 200
    assert integrator.send(parameters).status == 200


def test_a_new_secret_ends_the_grants_of_a_public_one_on_demand(world, integrator, integration, south):
    north, south_ = integrator.connect(), integrator.connect("south")
    world.new_secret(integration, revoke_grants=True)
    assert (integrator.status(north), integrator.status(south_, "south")) == (401, 401)
    assert hinted(integrator.refresh(north["refresh_token"])) == REVOKED


def test_a_new_secret_always_ends_the_grants_of_a_private_one(world, app, account):
    private = world.add_integration(redirect_uri=REDIRECT, public=False, account="north")
    integrator = Integrator(app, private)
    pair = integrator.connect()
    world.new_secret(private)
    assert integrator.status(pair) == 401
    assert hinted(integrator.refresh(pair["refresh_token"])) == REVOKED


def test_tokens_can_be_made_to_expire(integrator, account, integration):
    pair = integrator.connect()
    assert account.grants.expire(integration.client_id) == 1
    assert integrator.status(pair) == 401
    pair = integrator.refresh(pair["refresh_token"]).body
    assert integrator.status(pair) == 200
    account.grants.expire(refresh=True)
    assert hinted(integrator.refresh(pair["refresh_token"])) == (400, "Invalid refresh token")
