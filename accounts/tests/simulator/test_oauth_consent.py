"""The consent page and what comes back from it (docs/kommo.md 1.1, 1.2)."""

import re

import pytest

from accounts.tests.simulator.oauth import REDIRECT, Integrator, came_back


@pytest.fixture
def integrator(world, app, account):
    return Integrator(app, world.add_integration(redirect_uri=REDIRECT))


def offered(reply):
    return re.findall(r'<option value="([^"]+)">', reply.raw.decode())


def test_the_page_is_a_form_that_needs_no_script(integrator, south):
    reply = integrator.page(state="s", mode="popup")
    page = reply.raw.decode()
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert offered(reply) == ["north", "south"]
    assert ("<script" in page, '<form method="post">' in page, 'id="account"' in page) == (False, True, True)
    assert re.findall(r"<button [^>]+>(\w+)</button>", page) == ["Allow", "Deny"]


def test_only_accounts_whose_user_is_an_administrator_are_offered(integrator, south, account):
    account.admin = False
    assert offered(integrator.page()) == ["south"]
    assert integrator.decide("allow", "north").status == 400


def test_nobody_can_allow_without_an_account(integrator, account):
    account.admin = False
    assert 'value="allow" disabled' in integrator.page().raw.decode()
    assert came_back(integrator.decide("deny", ""))["error"] == "access_denied"


def test_a_private_integration_is_offered_its_account_only(world, app, account, south):
    private = Integrator(app, world.add_integration(redirect_uri=REDIRECT, public=False, account="south"))
    assert offered(private.page()) == ["south"]
    assert private.decide("allow", "north").status == 400
    assert private.allowed("south")["referer"] == "sim/south"


def test_allow_leads_back_with_code_state_referer_and_client_id(integrator):
    reply = integrator.decide("allow", state="a b&c", mode="post_message")
    back = came_back(reply)
    assert reply.headers["Location"].startswith(f"{REDIRECT}?code=def502")
    assert list(back) == ["code", "state", "referer", "client_id"]
    assert (back["state"], back["client_id"]) == ("a b&c", integrator.integration.client_id)


def test_deny_leads_back_with_error_client_id_and_state(integrator):
    reply = integrator.decide("deny", state="s")
    client_id = integrator.integration.client_id
    assert reply.headers["Location"] == f"{REDIRECT}?error=access_denied&client_id={client_id}&state=s"


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_state_is_left_out_if_none_was_sent(integrator, decision):
    assert "state" not in came_back(integrator.decide(decision))
    assert came_back(integrator.decide(decision, state=""))["state"] == ""


def test_the_query_of_the_redirect_address_stays(integrator):
    integrator.integration.redirect_uri = "https://sync.example/cb?tenant=1"
    assert integrator.decide("allow").headers["Location"].startswith("https://sync.example/cb?tenant=1&code=")


@pytest.mark.parametrize(
    ("root", "referer"),
    [
        ("http://127.0.0.1:8100", "127.0.0.1:8100/north"),
        ("http://sim", "sim/north"),
        ("https://www.kommo.example", "north.kommo.example"),
        ("http://www.kommo.example:8100", "north.kommo.example:8100"),
        ("http://127.0.0.1:8100/www", "127.0.0.1:8100/north"),
    ],
)
def test_referer_is_the_account_s_address_without_scheme(integrator, root, referer):
    assert integrator.allowed(root=root)["referer"] == referer


def test_referer_has_a_scheme_by_variant(world, integrator):
    world.variants.referer_scheme = True
    assert integrator.allowed(root="https://www.kommo.example")["referer"] == "https://north.kommo.example"
    assert integrator.allowed()["referer"] == "http://sim/north"


@pytest.mark.parametrize("asked", [{"client_id": "nobody"}, {"client_id": ""}, {"mode": "loud"}])
def test_a_senseless_question_gets_an_error_page(integrator, asked):
    for reply in (integrator.page(**asked), integrator.decide("allow", **asked)):
        assert (reply.status, reply.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
        assert "Location" not in reply.headers


@pytest.mark.parametrize(("decision", "account"), [("perhaps", "north"), ("allow", "nobody"), ("allow", "")])
def test_a_senseless_decision_gets_an_error_page(integrator, account, decision):
    assert integrator.decide(decision, account).status == 400


def test_other_methods_are_refused(integrator):
    assert integrator.ask("PUT", f"/oauth?client_id={integrator.integration.client_id}").status == 405


def test_the_page_stands_at_the_root_and_not_below_an_account(integrator):
    query = f"client_id={integrator.integration.client_id}"
    for place in ("/north/oauth", "http://north.kommo.example/oauth", "/api-c/oauth", "/oauth/", "/nobody/oauth"):
        assert integrator.ask("GET", f"{place}?{query}").status == 404


def test_names_are_escaped(world, app, account):
    account.name = '<b>North & "Sons"'
    integration = world.add_integration("<script>alert(1)</script>", redirect_uri=REDIRECT)
    page = Integrator(app, integration).page().raw.decode()
    assert ("<b>" in page, "<script>" in page) == (False, False)
    assert "&lt;b&gt;North &amp; &quot;Sons&quot;" in page


@pytest.mark.parametrize(
    "facts",
    [
        {"redirect_uri": "not a url"},
        {"redirect_uri": "javascript:alert(1)"},
        {"public": False},
        {"public": False, "account": "nobody"},
        {"account": "north"},
        {"client_id": "taken"},
    ],
)
def test_an_integration_that_can_not_be_is_an_error(world, account, facts):
    world.add_integration(redirect_uri=REDIRECT, client_id="taken")
    with pytest.raises(ValueError, match=r"account|redirect|already"):
        world.add_integration(**{"redirect_uri": REDIRECT, **facts})


def test_the_page_passes_limiter_and_log(world, integrator):
    integrator.page(state="s")
    integrator.decide("allow")
    assert [(each.method, each.path, each.status, each.subdomain) for each in world.log] == [
        ("GET", "/oauth", 200, ""),
        ("POST", "/oauth", 302, ""),
    ]
    world.limits.key = "ip"
    assert [integrator.page().status for _ in range(8)] == [200] * 7 + [429]
