"""The token endpoint as the client sees it: what an answer means, and that no secret gets into an error."""

import json

import pytest
import requests_mock

from accounts.kommo import oauth
from accounts.kommo.errors import (
    BadAnswer,
    GrantRefused,
    IpBlocked,
    KommoError,
    NotFound,
    RateLimited,
    ServerError,
    Unpaid,
)
from accounts.kommo.oauth import ClientKeys, Place, Tokens
from accounts.kommo.transport import Transport
from accounts.tests.kommo.world import NORTH, Clock, jwt, make_pacer

KEYS = ClientKeys("client-7", "secret-of-north", "https://sync.example/oauth/callback")
ENDPOINT = f"{NORTH}/oauth2/access_token"


@pytest.fixture
def transport():
    with Transport(NORTH, make_pacer(Clock()), account="north") as made:
        yield made


@pytest.fixture
def kommo():
    with requests_mock.Mocker() as mocker:
        yield mocker


def test_a_code_is_exchanged_without_an_authorization_header(transport, kommo) -> None:
    kommo.post(ENDPOINT, json={"access_token": "a", "refresh_token": "r", "expires_in": 86400, "token_type": "Bearer"})
    tokens = oauth.exchange_code(transport, KEYS, "code-1")
    assert tokens == Tokens("a", "r", 86400.0)
    (request,) = kommo.request_history
    assert "Authorization" not in request.headers
    assert request.json() == {
        "client_id": "client-7",
        "client_secret": "secret-of-north",
        "grant_type": "authorization_code",
        "code": "code-1",
        "redirect_uri": "https://sync.example/oauth/callback",
    }


def test_a_refresh_sends_the_redirect_uri_too_and_counts_as_a_request(transport, kommo) -> None:
    kommo.post(ENDPOINT, json={"access_token": "a", "refresh_token": "r"})
    assert oauth.refresh(transport, KEYS, "old").lives == 86400
    assert kommo.last_request.json()["redirect_uri"] == KEYS.redirect_uri
    assert transport.requests == 1


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"hint": "Token has been revoked", "detail": "x", "status": 401}, "token_revoked"),
        (400, {"hint": "Invalid refresh token", "detail": "x"}, "unauthorised"),
        (400, {"hint": "Authorization code has expired"}, "token_expired"),
        (401, {"title": "Некорректный клиент", "detail": "Авторизация клиента не прошла"}, "unauthorised"),
        (403, {"title": "Forbidden", "detail": "no"}, "unauthorised"),
        (422, {"detail": "what?"}, "unauthorised"),
    ],
)
def test_a_refused_grant_is_final_and_says_why(transport, kommo, status, body, code) -> None:
    kommo.post(ENDPOINT, status_code=status, json=body)
    with pytest.raises(GrantRefused) as refused:
        oauth.refresh(transport, KEYS, "old")
    assert refused.value.code == code
    assert not refused.value.retryable
    assert refused.value.detail == body.get("hint", body.get("detail"))
    assert "Connect" in refused.value.remedy


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status_code": 500, "json": {"title": "ErrInternalServer"}}, ServerError),
        ({"status_code": 504, "text": "gateway"}, ServerError),
        ({"status_code": 429, "json": {"retry_after": 3}}, RateLimited),
        ({"status_code": 402, "json": {"detail": "Payment required"}}, Unpaid),
        ({"status_code": 404, "text": "404 Not Found"}, NotFound),
        ({"status_code": 403, "text": "<html>403 Forbidden</html>"}, IpBlocked),
        ({"status_code": 200, "text": ""}, BadAnswer),
        ({"status_code": 200, "json": {"access_token": "a"}}, BadAnswer),
        ({"status_code": 200, "json": {"access_token": "a", "refresh_token": ""}}, BadAnswer),
        ({"status_code": 200, "json": {"access_token": "", "refresh_token": "r"}}, BadAnswer),
        ({"status_code": 301, "headers": {"Location": "https://north-2.kommo.com"}}, BadAnswer),
        ({"status_code": 400, "text": "<html>Bad Request</html>"}, BadAnswer),
        ({"status_code": 401, "text": "proxy"}, BadAnswer),
        ({"status_code": 407, "json": {"title": "Proxy Authentication Required"}}, BadAnswer),
        ({"status_code": 421, "json": {"title": "Misdirected Request"}}, BadAnswer),
        ({"status_code": 200, "json": {"access_token": "a b", "refresh_token": "r"}}, BadAnswer),
        ({"status_code": 200, "json": []}, BadAnswer),
    ],
)
def test_everything_else_says_nothing_about_the_grant(transport, kommo, answer, kind) -> None:
    kommo.post(ENDPOINT, **answer)
    with pytest.raises(kind) as failure:
        oauth.refresh(transport, KEYS, "old")
    assert not isinstance(failure.value, GrantRefused)


def problem(text: str) -> dict:
    error = {"code": "NotSupportedChoice", "path": text, "detail": text}
    return {"hint": text, "detail": text, "validation-errors": [{"request_id": "0", "errors": [error]}]}


@pytest.mark.parametrize("old", ["old-refresh-token", "def502" + "x" * 600], ids=["short", "as long as Kommo's"])
@pytest.mark.parametrize("padding", [0, 250])
def test_no_secret_gets_into_an_error_or_a_repr(transport, kommo, old, padding) -> None:
    told = "." * padding + f"bad {old} of client secret-of-north"
    kommo.post(ENDPOINT, status_code=400, json=problem(told))
    with pytest.raises(KommoError) as refused:
        oauth.refresh(transport, KEYS, old)
    shown = f"{refused.value!r} {refused.value} {vars(refused.value)} {KEYS!r} {Tokens('aaa', 'rrr', 1)!r}"
    assert not [secret for secret in (old[:12], "secret-of-north", "aaa", "rrr") if secret in shown]


def test_no_secret_gets_into_an_error_of_a_page_that_is_no_json(transport, kommo) -> None:
    kommo.post(ENDPOINT, status_code=500, text="<p>" + "." * 290 + "old-refresh-token secret-of-north")
    with pytest.raises(ServerError) as failure:
        oauth.refresh(transport, KEYS, "old-refresh-token")
    assert "old-" not in failure.value.detail


def test_the_place_of_an_account_is_asked_by_refresh_or_access_token(transport, kommo) -> None:
    answer = {"id": 7, "subdomain": "North-2", "domain": "north-2.kommo.com", "top_level_domain": "com"}
    kommo.get("https://api-c.kommo.com/oauth2/account/current/subdomain", json=answer)
    kommo.get("https://www.kommo.com/oauth2/account/subdomain", json=answer)
    assert oauth.place_by_refresh_token(transport, "https://api-c.kommo.com", "r") == Place(7, "north-2")
    assert kommo.last_request.headers["X-Refresh-Token"] == "r"
    assert oauth.place_by_access_token(transport, "https://www.kommo.com", "a") == Place(7, "north-2")
    assert kommo.last_request.headers["Authorization"] == "Bearer a"


@pytest.mark.parametrize("answer", [{}, {"id": "7", "subdomain": "x"}, {"id": 7}])
def test_an_answer_without_id_or_subdomain_names_no_place(transport, kommo, answer) -> None:
    kommo.get("https://www.kommo.com/oauth2/account/subdomain", json=answer)
    with pytest.raises(BadAnswer):
        oauth.place_by_access_token(transport, "https://www.kommo.com", "a")


def test_the_api_domain_is_read_only_below_the_tokens_own_base() -> None:
    assert oauth.api_domain(jwt(api_domain="api-c.kommo.com", base_domain="kommo.com")) == "api-c"
    assert oauth.api_domain(jwt(api_domain="evil.example", base_domain="kommo.com")) == ""
    assert oauth.api_domain("no jwt") == ""


@pytest.mark.parametrize("told", [None, 0, -1, "x", True, float("inf"), float("nan"), 1e12, 10**400])
def test_a_life_that_can_be_none_is_the_documented_one(transport, kommo, told) -> None:
    kommo.post(ENDPOINT, text=json.dumps({"access_token": "a", "refresh_token": "r", "expires_in": told}))
    assert oauth.refresh(transport, KEYS, "old").lives == 86400


def test_what_no_database_keeps_is_taken_out_of_foreign_texts(transport, kommo) -> None:
    kommo.post(ENDPOINT, status_code=400, text='{"hint": "a\\u0000b\\ud800c"}')
    with pytest.raises(GrantRefused) as refused:
        oauth.refresh(transport, KEYS, "old")
    assert refused.value.detail == "ab?c"
