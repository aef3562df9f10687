"""When the old refresh token ends (docs/kommo.md 1.3, "Rotation")."""

import pytest

from accounts.tests.simulator.oauth import REDIRECT, Integrator, hinted

REVOKED = (401, "Token has been revoked")


@pytest.fixture
def integrator(world, app, account):
    return Integrator(app, world.add_integration(redirect_uri=REDIRECT))


@pytest.fixture
def old(integrator):
    return integrator.connect()


def renew(integrator, pair):
    return integrator.refresh(pair["refresh_token"]).body


def test_the_old_refresh_token_stays_good_until_the_new_pair_is_used(integrator, old):
    pairs = [renew(integrator, old) for _ in range(3)]
    assert len({pair["refresh_token"] for pair in pairs}) == 3
    assert len({pair["access_token"] for pair in pairs}) == 3


def test_the_new_access_token_in_an_api_call_ends_the_old_refresh_token(integrator, old):
    new = renew(integrator, old)
    assert integrator.status(new) == 200
    assert hinted(integrator.refresh(old["refresh_token"])) == REVOKED
    assert integrator.refresh(new["refresh_token"]).status == 200


def test_the_new_refresh_token_in_a_refresh_ends_the_old_one(integrator, old):
    new = renew(integrator, old)
    newer = renew(integrator, new)
    assert hinted(integrator.refresh(old["refresh_token"])) == REVOKED
    assert integrator.refresh(new["refresh_token"]).status == 200
    assert integrator.status(newer) == 200
    assert hinted(integrator.refresh(new["refresh_token"])) == REVOKED


def test_a_refused_call_is_no_use(world, integrator, south, old):
    new = renew(integrator, old)
    assert integrator.status(new, "south") == 401
    assert (
        integrator.send({**integrator.parameters("refresh_token", new["refresh_token"]), "client_secret": "x"}).status
        == 401
    )
    assert integrator.refresh(old["refresh_token"]).status == 200


def test_the_old_access_token_stays_good_till_its_own_end_and_is_no_use_of_the_new_pair(integrator, old, clock):
    clock.now += 3600
    new = renew(integrator, old)
    assert integrator.status(old) == 200
    assert integrator.refresh(old["refresh_token"]).status == 200
    integrator.status(new)
    assert integrator.status(old) == 200
    clock.now += 23 * 3600
    assert (integrator.status(old), integrator.status(new)) == (401, 200)


def test_one_of_two_new_pairs_ends_the_parent_and_leaves_its_twin(integrator, old):
    lost, kept = renew(integrator, old), renew(integrator, old)
    assert integrator.status(kept) == 200
    assert hinted(integrator.refresh(old["refresh_token"])) == REVOKED
    assert integrator.status(lost) == 200
    assert integrator.refresh(lost["refresh_token"]).status == 200
    assert integrator.refresh(kept["refresh_token"]).status == 200


def test_an_unpaid_account_uses_its_pair_all_the_same(integrator, account, old):
    new = renew(integrator, old)
    account.paid = False
    assert integrator.status(new) == 402
    assert hinted(integrator.refresh(old["refresh_token"])) == REVOKED
    assert integrator.refresh(new["refresh_token"]).status == 200


def test_strict_ends_the_old_refresh_token_at_once(world, integrator, old):
    world.variants.refresh_rotation = "strict"
    new = renew(integrator, old)
    assert hinted(integrator.refresh(old["refresh_token"])) == REVOKED
    assert integrator.status(old) == 200
    assert integrator.refresh(new["refresh_token"]).status == 200


def test_a_first_use_is_a_change_to_be_saved(world, integrator, old):
    new = renew(integrator, old)
    before = world.changes
    integrator.status(new)
    assert world.changes == before + 1
    integrator.status(new)
    assert world.changes == before + 1
