"""The token endpoint: what it gives and what it refuses (docs/kommo.md 1.3, 1.4)."""

import base64
import json
import re

import pytest

from accounts.simulator.faults import Fault
from accounts.simulator.wsgi import AnswerLost
from accounts.tests.simulator.oauth import REDIRECT, Integrator, hinted

DAY = 24 * 3600
BAD_CODE = (400, "Cannot decrypt the authorization code")
GRANTS = ["authorization_code", "refresh_token"]


@pytest.fixture
def integrator(world, app, account):
    return Integrator(app, world.add_integration(redirect_uri=REDIRECT))


@pytest.fixture
def code(integrator):
    return integrator.allowed()["code"]


@pytest.fixture
def asked(integrator, code, grant):
    """The parameters of a call that would go well."""
    if grant == "authorization_code":
        return integrator.parameters(grant, code)
    return integrator.parameters(grant, integrator.redeem(code).body["refresh_token"])


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.mark.parametrize("grant", GRANTS)
def test_a_grant_gives_a_pair(integrator, asked, clock):
    reply = integrator.send(asked)
    body = reply.body
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert list(body) == ["token_type", "expires_in", "server_time", "access_token", "refresh_token"]
    assert (body["token_type"], body["expires_in"], body["server_time"]) == ("Bearer", DAY, int(clock.now))
    assert re.fullmatch("def502[0-9a-f]{600}", body["refresh_token"])
    assert integrator.status(body) == 200


def test_server_time_is_left_out_by_variant(world, integrator):
    world.variants.token_server_time = False
    assert "server_time" not in integrator.connect()


def test_the_access_token_tells_the_claims_of_kommo(world, integrator, account, clock):
    world.variants.api_domain = "api-b.kommo.com"
    found = claims(integrator.connect()["access_token"])
    now = int(clock.now)
    assert (found["aud"], found["sub"]) == (integrator.integration.client_id, str(account.user_id))
    assert (found["iat"], found["nbf"], found["exp"]) == (now, now, now + DAY)
    assert (found["account_id"], found["base_domain"]) == (account.account_id, "kommo.com")
    assert (found["api_domain"], "crm" in found["scopes"]) == ("api-b.kommo.com", True)


def test_an_access_token_lives_a_day_and_in_its_account_only(integrator, south, clock):
    pair = integrator.connect()
    assert integrator.status(pair, "south") == 401
    clock.now += DAY - 1
    assert integrator.status(pair) == 200
    clock.now += 1
    assert integrator.status(pair) == 401


def test_a_long_lived_token_is_what_it_was(integrator, account, clock):
    token = account.token
    integrator.connect()
    assert account.token == token
    assert account.tokens[token].kind == "long_lived"
    clock.now += 2 * DAY
    assert account.accepts(token)


def test_a_code_is_good_for_twenty_minutes(integrator, code, clock):
    clock.now += 20 * 60
    assert hinted(integrator.redeem(code)) == (400, "Authorization code has expired")
    clock.now -= 1
    assert integrator.redeem(code).status == 200


def test_a_code_is_good_once(integrator, code):
    first = integrator.redeem(code).body
    assert hinted(integrator.redeem(code)) == (400, "Authorization code has been revoked")
    assert integrator.status(first) == 200


def test_a_code_of_another_account_or_integration_is_none(world, app, integrator, south, code):
    other = Integrator(app, world.add_integration(redirect_uri=REDIRECT))
    assert hinted(integrator.redeem(code, "south")) == BAD_CODE
    assert hinted(other.redeem(code)) == BAD_CODE
    assert hinted(integrator.redeem("def502abc")) == BAD_CODE
    assert integrator.redeem(code).status == 200


def test_a_refresh_token_lives_three_months(integrator, clock):
    token = integrator.connect()["refresh_token"]
    clock.now += 89 * DAY
    assert hinted(integrator.refresh(token)) == (400, "Invalid refresh token")
    clock.now -= 1
    assert integrator.refresh(token).status == 200


def test_a_refresh_token_starts_its_three_months_with_each_refresh(integrator, clock):
    pair = integrator.connect()
    for _ in range(4):
        clock.now += 60 * DAY
        pair = integrator.refresh(pair["refresh_token"]).body
    assert integrator.status(pair) == 200


def test_a_refresh_token_of_nobody_is_invalid(world, app, integrator):
    pair = integrator.connect()
    other = Integrator(app, world.add_integration(redirect_uri=REDIRECT))
    for reply in (integrator.refresh("def502abc"), other.refresh(pair["refresh_token"])):
        assert hinted(reply) == (400, "Invalid refresh token")
    assert hinted(integrator.refresh(pair["access_token"])) == (400, "Invalid refresh token")


@pytest.mark.parametrize(
    ("variant", "answer"), [(401, (401, "Token has been revoked")), (400, (400, "Invalid refresh token"))]
)
def test_a_refresh_token_at_the_wrong_account_is_refused(world, integrator, south, variant, answer):
    world.variants.foreign_refresh_status = variant
    pair = integrator.connect()
    assert hinted(integrator.refresh(pair["refresh_token"], "south")) == answer
    assert integrator.refresh(pair["refresh_token"]).status == 200


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("name", ["client_id", "client_secret", "grant_type", "redirect_uri", "credential"])
@pytest.mark.parametrize("value", [None, "", 7, ["x"]])
def test_a_parameter_that_is_missing_or_no_text_is_named(integrator, asked, grant, name, value):
    if name == "credential":
        name = "code" if grant == "authorization_code" else "refresh_token"
    spoilt = {key: each for key, each in asked.items() if key != name}
    if value is not None:
        spoilt[name] = value
    assert hinted(integrator.send(spoilt)) == (400, f"Check the `{name}` parameter")
    assert integrator.send(asked).status == 200


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("uri", [REDIRECT + "/", REDIRECT + "?a=1", "https://evil.example/"])
def test_the_redirect_address_must_be_the_registered_one_in_both_grants(integrator, asked, uri):
    assert hinted(integrator.send({**asked, "redirect_uri": uri})) == (400, "Check the `redirect_uri` parameter")
    assert integrator.send(asked).status == 200


@pytest.mark.parametrize("grant", GRANTS)
def test_an_unknown_client_id_is_a_wrong_parameter(integrator, asked):
    assert hinted(integrator.send({**asked, "client_id": "nobody"})) == (400, "Check the `client_id` parameter")


def test_a_private_integration_is_unknown_in_other_accounts(world, app, account, south):
    private = Integrator(app, world.add_integration(redirect_uri=REDIRECT, public=False, account="north"))
    token = private.connect()["refresh_token"]
    assert hinted(private.refresh(token, "south")) == (400, "Check the `client_id` parameter")


@pytest.mark.parametrize("grant", GRANTS)
def test_a_wrong_secret_is_a_refused_client_without_a_hint(world, integrator, asked):
    world.variants.oauth_errors = "ru"
    reply = integrator.send({**asked, "client_secret": "wrong"})
    assert (reply.status, reply.body) == (
        401,
        {
            "title": "Некорректный клиент",
            "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
            "status": 401,
            "detail": "Авторизация клиента не прошла",
        },
    )
    assert integrator.send(asked).status == 200


@pytest.mark.parametrize(
    ("language", "title", "detail"),
    [
        ("ru", "Некорректный запрос", "В запросе отсутствует ряд параметров или параметры невалидны"),
        (
            "en",
            "Incorrect request",
            "A number of parameters are missing from the request or the parameters are invalid",
        ),
    ],
)
def test_an_error_has_the_observed_body_in_either_language(world, integrator, language, title, detail):
    world.variants.oauth_errors = language
    reply = integrator.redeem("x")
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.body == {
        "hint": "Cannot decrypt the authorization code",
        "title": title,
        "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
        "status": 400,
        "detail": detail,
    }


@pytest.mark.parametrize("grant", GRANTS)
def test_the_call_is_json_and_carries_no_authorization_header(integrator, asked):
    form = "application/x-www-form-urlencoded"
    assert integrator.send(asked, Content_Type=form).status == 400
    assert integrator.send(asked, Content_Type="").status == 400
    assert hinted(integrator.send(asked, Authorization="Bearer x")) == (400, "Check the `Authorization` parameter")
    assert integrator.send(asked, Content_Type="application/json; charset=utf-8").status == 200


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"grant_type=refresh_token", b"\xff"])
def test_a_body_that_is_no_object_holds_no_parameters(integrator, raw):
    assert hinted(integrator.send(raw)) == (400, "Check the `grant_type` parameter")


def test_only_post_is_allowed(integrator):
    assert [integrator.send({}, method=method).status for method in ("GET", "PUT", "PATCH")] == [405] * 3


def test_there_is_no_token_endpoint_without_an_account(integrator):
    for place in ("/oauth2/access_token", "/nobody/oauth2/access_token", "/www/oauth2/access_token"):
        assert integrator.ask("POST", place).status == 404


def test_token_calls_pass_limiter_and_log_with_their_bodies(world, integrator, code):
    world.log.clear()
    integrator.redeem(code)
    (record,) = world.log.of("north")
    assert (record.method, record.path, record.status) == ("POST", "/oauth2/access_token", 200)
    assert json.loads(record.body)["code"] == code
    world.limits.key = "account"
    assert [integrator.redeem(code).status for _ in range(8)] == [400] * 7 + [429]


@pytest.mark.parametrize("kind", ["500_applied", "504_applied", "reset_applied", "garbage", "empty", "truncated"])
def test_a_lost_answer_leaves_a_rotation_that_really_happened(world, integrator, account, kind):
    world.variants.refresh_rotation = "strict"
    token = integrator.connect()["refresh_token"]
    world.faults.add(Fault(kind, subdomain="north", method="POST", path="/oauth2/access_token"))
    try:
        integrator.refresh(token)
    except AnswerLost:
        assert world.log[-1].status == 0
    assert len(account.grants.pairs) == 2
    assert hinted(integrator.refresh(token)) == (401, "Token has been revoked")


@pytest.mark.parametrize("kind", ["500", "504", "reset", "429", "403_plain"])
def test_a_fault_before_the_call_spends_nothing(world, integrator, account, code, kind):
    world.faults.add(Fault(kind, path="/oauth2/access_token"))
    try:
        assert integrator.redeem(code).status == int(kind[:3])
    except AnswerLost:
        assert kind == "reset"
    assert account.grants.pairs == {}
    assert integrator.redeem(code).status == 200


def test_half_an_answer_is_for_lists_and_harms_no_page(world, integrator):
    for _ in range(2):
        world.faults.add(Fault("half", path="/oauth"))
    assert integrator.page().status == 200
    assert integrator.status(integrator.connect()) == 200
