"""Where an account lives, asked with its tokens, and what a new subdomain changes (docs/kommo.md 1.6)."""

import pytest

from accounts.simulator.faults import Fault
from accounts.tests.simulator.oauth import REDIRECT, Integrator, hinted

ACCESS, REFRESH = "/oauth2/account/subdomain", "/oauth2/account/current/subdomain"


@pytest.fixture
def integrator(world, app, account):
    return Integrator(app, world.add_integration(redirect_uri=REDIRECT))


@pytest.fixture
def pair(integrator):
    return integrator.connect()


def by_access(integrator, token, base="http://sim"):
    return integrator.ask("GET", base + ACCESS, Authorization=f"Bearer {token}")


def by_refresh(integrator, token, base="http://sim/api-c"):
    return integrator.ask("GET", base + REFRESH, X_Refresh_Token=token)


@pytest.mark.parametrize(
    ("base", "domain", "top"),
    [
        ("http://sim", "sim/north", "com"),
        ("http://127.0.0.1:8100", "127.0.0.1:8100/north", "com"),
        ("http://sim/www", "sim/north", "com"),
        ("http://sim/api-c", "sim/north", "com"),
        ("http://sim/north", "sim/north", "com"),
        ("https://www.kommo.com", "north.kommo.com", "com"),
        ("https://north.amocrm.ru", "north.amocrm.ru", "ru"),
        ("http://api-c.kommo.example:81", "north.kommo.example:81", "example"),
    ],
)
@pytest.mark.parametrize("kind", ["long_lived", "oauth"])
def test_a_bearer_token_finds_its_account_from_anywhere(integrator, account, pair, base, domain, top, kind):
    reply = by_access(integrator, account.token if kind == "long_lived" else pair["access_token"], base)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    expected = {"id": account.account_id, "subdomain": "north", "domain": domain, "top_level_domain": top}
    assert reply.body == expected


@pytest.mark.parametrize(
    ("base", "domain"), [("http://sim/api-c", "sim/north"), ("https://api-c.kommo.com", "north.kommo.com")]
)
def test_a_refresh_token_finds_its_account_at_the_api_domain(integrator, account, pair, base, domain):
    reply = by_refresh(integrator, pair["refresh_token"], base)
    assert (reply.status, reply.body["id"], reply.body["domain"]) == (200, account.account_id, domain)


def test_the_api_domain_is_the_variant_s_first_label(world, integrator, pair):
    world.variants.api_domain = "api-b.kommo.com"
    assert by_refresh(integrator, pair["refresh_token"], "http://sim/api-b").status == 200
    assert by_refresh(integrator, pair["refresh_token"], "http://sim/api-c").status == 404


@pytest.mark.parametrize("base", ["http://sim", "http://sim/www", "http://sim/north", "https://www.kommo.com"])
def test_a_refresh_token_is_asked_about_nowhere_else(integrator, pair, base):
    assert by_refresh(integrator, pair["refresh_token"], base).status == 404


@pytest.mark.parametrize("base", ["http://sim", "http://sim/north"])
def test_a_bad_bearer_token_answers_401_as_a_problem(integrator, account, clock, base):
    token = account.issue_token(expires_in=10)
    clock.now += 10
    for bad in ("", "nonsense", token):
        reply = by_access(integrator, bad, base)
        assert (reply.status, reply.headers["Content-Type"]) == (401, "application/problem+json")
        assert reply.body["detail"] == "Invalid user name or password"


def test_a_bad_refresh_token_answers_401(world, integrator, account, pair, clock):
    assert by_refresh(integrator, "").status == 401
    assert by_refresh(integrator, pair["access_token"]).status == 401
    clock.now += 89 * 24 * 3600
    assert by_refresh(integrator, pair["refresh_token"]).status == 401
    clock.now -= 1
    assert by_refresh(integrator, pair["refresh_token"]).status == 200
    account.uninstall(integrator.integration)
    assert by_refresh(integrator, pair["refresh_token"]).status == 401


def test_another_account_s_token_is_bad_at_an_account_s_address(integrator, south, pair):
    assert by_access(integrator, pair["access_token"], "http://sim/south").status == 401


def test_only_get_is_allowed(integrator, account):
    assert integrator.ask("POST", "http://sim" + ACCESS, Authorization=f"Bearer {account.token}").status == 405


def test_a_look_with_the_refresh_token_uses_no_pair_and_one_with_the_access_token_does(integrator, pair):
    new = integrator.refresh(pair["refresh_token"]).body
    by_refresh(integrator, new["refresh_token"])
    assert by_refresh(integrator, pair["refresh_token"]).status == 200
    by_access(integrator, new["access_token"])
    assert hinted(integrator.refresh(pair["refresh_token"])) == (401, "Token has been revoked")


def test_an_unpaid_account_is_found_all_the_same(integrator, account, pair):
    account.paid = False
    assert by_access(integrator, pair["access_token"]).status == 200


def test_look_ups_pass_limiter_and_log_under_the_account_of_their_token(world, integrator, pair):
    world.log.clear()
    by_access(integrator, pair["access_token"])
    by_refresh(integrator, pair["refresh_token"])
    by_access(integrator, "nonsense")
    assert [(each.subdomain, each.path, each.status) for each in world.log] == [
        ("north", ACCESS, 200),
        ("north", REFRESH, 200),
        ("", ACCESS, 401),
    ]
    world.limits.key = "account"
    assert [by_refresh(integrator, pair["refresh_token"]).status for _ in range(8)] == [200] * 7 + [429]
    assert integrator.refresh(pair["refresh_token"]).status == 429


def test_a_fault_strikes_a_look_up_by_path_and_account(world, integrator, pair):
    world.faults.add(Fault("500", subdomain="north", path=REFRESH))
    assert by_refresh(integrator, pair["refresh_token"]).status == 500
    assert by_refresh(integrator, pair["refresh_token"]).status == 200


def test_a_renamed_account_answers_only_under_its_new_name(world, integrator, account, pair):
    assert world.rename_account("north", "nord") is account
    assert (integrator.status(pair, "north"), integrator.status(pair, "nord")) == (404, 200)
    assert integrator.refresh(pair["refresh_token"], "north").status == 404
    assert by_access(integrator, pair["access_token"], "http://sim/north").status == 404
    assert by_access(integrator, pair["access_token"], "http://north.kommo.com").status == 404
    assert by_access(integrator, pair["access_token"], "http://nord.kommo.com").body["domain"] == "nord.kommo.com"
    assert by_refresh(integrator, pair["refresh_token"]).body["subdomain"] == "nord"
    assert integrator.refresh(pair["refresh_token"], "nord").status == 200
    assert integrator.allowed("nord")["referer"] == "sim/nord"


def test_a_renamed_account_tells_its_new_name(world, app, account, integrator):
    world.cache_reads = True
    bearer = f"Bearer {account.token}"
    assert integrator.ask("GET", "/north/api/v4/account", Authorization=bearer).body["subdomain"] == "north"
    world.rename_account("north", "nord")
    assert integrator.ask("GET", "/nord/api/v4/account", Authorization=bearer).body["subdomain"] == "nord"


def test_a_private_integration_goes_along_with_its_renamed_account(world, app, account):
    private = Integrator(app, world.add_integration(redirect_uri=REDIRECT, public=False, account="north"))
    pair = private.connect()
    world.rename_account("north", "nord")
    assert private.refresh(pair["refresh_token"], "nord").status == 200


def test_renaming_keeps_the_order_and_frees_the_old_name(world, account, south, integrator):
    world.rename_account("north", "nord")
    assert list(world.accounts) == ["nord", "south"]
    with pytest.raises(ValueError, match="already"):
        world.rename_account("nord", "south")
    with pytest.raises(KeyError):
        world.rename_account("north", "polar")
    newcomer = world.add_account("north")
    token = newcomer.token
    assert (
        by_access(integrator, token, "http://north.kommo.com").body["id"] == newcomer.account_id != account.account_id
    )
