"""Integrations and grants over the control route, in a saved world, and from the command line."""

import json

import pytest
from django.core.management import CommandError, call_command

from accounts.simulator import store
from accounts.simulator.wsgi import call
from accounts.tests.simulator.oauth import REDIRECT, Integrator, hinted
from accounts.tests.simulator.test_command import simulator


@pytest.fixture
def operate(app):
    def operate(status=200, **body):
        answered, _, raw = call(app, "POST", "/_sim/oauth", body=json.dumps(body).encode())
        assert answered == status
        return json.loads(raw)

    return operate


@pytest.fixture
def keys(operate, account):
    return operate(op="add_integration", name="Sync", redirect_uri=REDIRECT, hook_url="https://sync.example/off")


@pytest.fixture
def integrator(world, app, keys):
    return Integrator(app, world.integrations[keys["client_id"]])


def test_an_integration_is_added_and_shown(app, operate, keys):
    assert (keys["name"], keys["redirect_uri"], keys["is_public"]) == ("Sync", REDIRECT, True)
    operate(op="grant", client_id=keys["client_id"], subdomain="north")
    _, _, raw = call(app, "GET", "/_sim/oauth")
    assert json.loads(raw) == {"integrations": [{**keys, "granted": ["north"]}]}


def test_a_grant_and_a_code_are_given_without_a_browser(operate, keys, integrator):
    pair = operate(op="grant", client_id=keys["client_id"], subdomain="north")
    assert (integrator.status(pair), pair["expires_in"]) == (200, 86400)
    code = operate(op="code", client_id=keys["client_id"], subdomain="north")["code"]
    assert integrator.status(integrator.redeem(code).body) == 200


def test_an_uninstall_gives_the_query_of_the_hook(operate, keys, integrator, account):
    pair = integrator.connect()
    gone = operate(op="uninstall", client_id=keys["client_id"], subdomain="north")
    assert gone == {"query": integrator.integration.hook_query(account.account_id), "hook_url": keys["hook_url"]}
    assert integrator.status(pair) == 401


def test_a_secret_is_renewed_tokens_expire_and_an_account_is_renamed(operate, keys, integrator, account):
    pair = integrator.connect()
    assert operate(op="expire", subdomain="north") == {"expired": 1}
    assert integrator.status(pair) == 401
    renewed = operate(op="new_secret", client_id=keys["client_id"], revoke_grants=True)
    assert renewed == {"client_secret": integrator.integration.client_secret}
    assert hinted(integrator.refresh(pair["refresh_token"])) == (401, "Token has been revoked")
    assert operate(op="rename_account", old="north", new="nord") == {"subdomain": "nord"}
    assert account.subdomain == "nord"


def test_variants_are_set_where_all_variants_are_set(app, world):
    body = json.dumps({"refresh_rotation": "strict", "oauth_errors": "ru"}).encode()
    assert call(app, "POST", "/_sim/knobs", body=body)[0] == 200
    assert (world.variants.refresh_rotation, world.variants.oauth_errors) == ("strict", "ru")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"op": "dance"},
        {"op": "grant", "client_id": "nobody", "subdomain": "north"},
        {"op": "add_integration", "redirect_uri": "no url"},
        {"op": "rename_account", "old": "nobody", "new": "nord"},
        {"op": "expire", "planet": "mars"},
    ],
)
def test_a_senseless_operation_is_told_why(operate, body):
    assert operate(400, **body)["detail"]


def test_a_private_integration_is_granted_by_its_own_account_only(operate, account, south):
    keys = operate(op="add_integration", redirect_uri=REDIRECT, public=False, account="north")
    for op in ("grant", "code"):
        operate(400, op=op, client_id=keys["client_id"], subdomain="south")
        operate(op=op, client_id=keys["client_id"], subdomain="north")


def test_a_saved_world_keeps_integrations_codes_and_the_state_of_every_pair(
    tmp_path, world, app, account, keys, integrator
):
    account.clock = world.clock
    old = integrator.connect()
    new = integrator.refresh(old["refresh_token"]).body
    code = integrator.allowed()["code"]
    world.add_account("west")
    world.rename_account("west", "far-west")
    store.save(world, tmp_path / "world.json")
    again = store.load(tmp_path / "world.json")
    assert again.integrations == world.integrations
    assert again.former == {"west"}
    twin = again.accounts["north"]
    twin.clock = world.clock
    assert (twin.grants.codes, twin.grants.pairs) == (account.grants.codes, account.grants.pairs)
    assert twin.accepts(new["access_token"])
    assert twin.grants.use_access(new["access_token"])
    assert twin.grants.pairs[old["refresh_token"]].revoked
    assert twin.grants.redeem(keys["client_id"], code).access in twin.tokens


def test_a_world_that_was_saved_before_there_was_oauth_still_loads(tmp_path, world, account):
    path, token = tmp_path / "world.json", account.token
    store.save(world, path)
    saved = json.loads(path.read_text())
    del saved["integrations"], saved["former"]
    del saved["accounts"][0]["codes"], saved["accounts"][0]["pairs"]
    oauth = ("refresh_rotation", "foreign_refresh_status", "oauth_errors", "token_server_time", "referer_scheme")
    for name in (*oauth, "api_domain"):
        del saved["knobs"][name]
    path.write_text(json.dumps({**saved, "format": 1}))
    again = store.load(path)
    assert (again.integrations, again.accounts["north"].tokens) == ({}, {token: account.tokens[token]})
    assert again.variants == world.variants


def test_the_command_has_one_public_integration_that_leads_to_the_given_address(tmp_path):
    state = tmp_path / "world.json"
    options = ("--accounts", 1, "--seed", "empty", "--state", state, "--oauth-redirect")
    told = []
    for uri in ("http://127.0.0.1:8000/first", "http://127.0.0.1:8000/second"):
        with simulator(*options, uri) as (process, _, port):
            told.append(process.stdout.readline())
        (integration,) = store.load(state).integrations.values()
        keys = f"client id {integration.client_id}, client secret {integration.client_secret}"
        page = f"http://127.0.0.1:{port}/oauth?client_id={integration.client_id}"
        assert told[-1] == f"OAuth integration: {keys}, authorize at {page}\n"
        assert (integration.redirect_uri, integration.is_public) == (uri, True)
    assert told[0].partition(", authorize")[0] == told[1].partition(", authorize")[0]


def test_the_command_refuses_an_address_that_is_none():
    with pytest.raises(CommandError, match="--oauth-redirect"):
        call_command("kommo_simulator", accounts=0, seed="empty", oauth_redirect="nowhere")
