"""Clients of accounts and what may be pasted as one."""

import logging

import pytest
import requests_mock

from accounts.kommo.errors import Forbidden, ReadOnly, Unauthorised
from accounts.models import Account
from accounts.refusals import Refusal
from accounts.services.credentials.clients import client_for, store_token, token_expiry
from accounts.services.credentials.token_sources import CredentialProblem
from accounts.services.subdomains import subdomain_of, subdomain_of_referer
from accounts.simulator.tokens import make_jwt
from accounts.tests.factories import AccountFactory


def test_the_master_is_never_written_whatever_is_asked_for() -> None:
    master = AccountFactory.build(master=True)
    with requests_mock.Mocker() as kommo, client_for(master) as client:
        for write in (client.post, client.patch):
            with pytest.raises(ReadOnly):
                write("/leads/pipelines", [{"name": "x"}])
        with pytest.raises(ReadOnly):
            client.delete("/leads/pipelines/1")
        assert kommo.call_count == 0
    with pytest.raises(ValueError, match="master"):
        client_for(master, read_only=False)


def test_a_master_is_written_through_a_gate_alone_and_every_write_is_asked_for(settings) -> None:
    settings.KOMMO_URL_TEMPLATE = "http://127.0.0.1:8100/{subdomain}"
    asked: list[tuple[str, str, object]] = []

    def gate(method: str, path: str, body: object) -> bool:
        asked.append((method, path, body))
        return method == "PATCH"

    master = AccountFactory.build(master=True)
    with requests_mock.Mocker() as kommo, client_for(master, gate=gate) as client:
        kommo.get("http://127.0.0.1:8100/master/api/v4/account", json={"id": 1})
        kommo.patch("http://127.0.0.1:8100/master/api/v4/leads/pipelines/1", json={"id": 1})
        client.get("/account")
        client.patch("/leads/pipelines/1", {"name": "x"})
        with pytest.raises(ReadOnly):
            client.post("/leads/pipelines", [{"name": "x"}])
        with pytest.raises(ReadOnly):
            client.delete("/leads/pipelines/1")
        assert [request.method for request in kommo.request_history] == ["GET", "PATCH"]
    assert asked == [
        ("PATCH", "/leads/pipelines/1", {"name": "x"}),
        ("POST", "/leads/pipelines", [{"name": "x"}]),
        ("DELETE", "/leads/pipelines/1", None),
    ]


def test_a_gate_is_for_a_master_that_is_to_be_written() -> None:
    for account, facts in ((AccountFactory.build(), {}), (AccountFactory.build(master=True), {"read_only": True})):
        with pytest.raises(ValueError, match="gate"):
            client_for(account, gate=lambda method, path, body: True, **facts)


def test_a_slave_may_be_opened_for_reading_only() -> None:
    with (
        client_for(AccountFactory.build(), read_only=True) as client,
        pytest.raises(ReadOnly),
    ):
        client.delete("/leads/pipelines/1")


def test_an_account_without_a_token_is_refused_with_its_name_and_a_remedy() -> None:
    with pytest.raises(CredentialProblem) as problem:
        client_for(AccountFactory.build(subdomain="west", token=""))
    assert isinstance(problem.value, Unauthorised)
    assert problem.value.code == "unauthorised"
    assert problem.value.account == "west"
    assert "token" in problem.value.remedy


def test_the_client_goes_to_the_address_of_the_template_with_the_settings_of_the_project(settings) -> None:
    settings.KOMMO_URL_TEMPLATE = "http://127.0.0.1:8100/{subdomain}"
    with requests_mock.Mocker() as kommo, client_for(AccountFactory.build(subdomain="north")) as client:
        kommo.get("http://127.0.0.1:8100/north/api/v4/account", json={"id": 1})
        client.get("/account")
        (request,) = kommo.request_history
    assert request.headers["Authorization"] == "Bearer token-of-north"
    assert request.headers["User-Agent"].startswith("KommoSync/")


def test_a_token_appears_in_no_error_log_or_repr(settings, caplog) -> None:
    settings.KOMMO_URL_TEMPLATE = "http://127.0.0.1:8100/{subdomain}"
    account = AccountFactory.build(subdomain="north")
    with (
        caplog.at_level(logging.DEBUG),
        requests_mock.Mocker() as kommo,
        client_for(account) as client,
    ):
        kommo.get(requests_mock.ANY, status_code=403, json={"detail": "no rights for token-of-north"})
        with pytest.raises(Forbidden) as refused:
            client.get("/account")
    for text in (caplog.text, str(refused.value), repr(refused.value), repr(client), repr(account)):
        assert "token-of-north" not in text


def test_a_new_token_forgets_what_was_known_of_the_old_one() -> None:
    account = AccountFactory.build(health=Account.Health.TOKEN_REVOKED, health_reason="revoked")
    store_token(account, make_jwt(account_id=7, user_id=1, issued_at=0, expires_at=1_861_920_000, serial=1))
    assert account.health == Account.Health.UNKNOWN
    assert account.health_reason == ""
    assert account.token_expires_at is not None
    assert account.token_expires_at.timestamp() == 1_861_920_000


@pytest.mark.parametrize("expires_at", [10**30, -(10**30)])
def test_an_absurd_expiry_in_a_token_is_no_expiry(expires_at) -> None:
    assert token_expiry(make_jwt(account_id=7, user_id=1, issued_at=0, expires_at=expires_at, serial=1)) is None


@pytest.mark.parametrize(
    "text",
    [
        "north",
        " NORTH ",
        "north.kommo.com",
        "https://north.kommo.com/",
        "https://north.kommo.com/leads/pipeline/?x=1",
        "http://north.kommo.com?x=1",
        "//north.kommo.com/leads",
        "north.kommo.com.",
        "https://north.kommo.com:443/",
    ],
)
def test_a_pasted_address_is_reduced_to_its_subdomain(text) -> None:
    assert subdomain_of(text) == "north"


def test_an_address_of_the_projects_own_template_is_understood(settings) -> None:
    settings.KOMMO_URL_TEMPLATE = "http://127.0.0.1:8100/{subdomain}"
    assert subdomain_of("http://127.0.0.1:8100/north/") == "north"
    assert subdomain_of("http://127.0.0.1:8100/north") == "north"


@pytest.mark.parametrize(
    "text",
    [
        *("north.amocrm.ru", "north.amocrm.com", "https://north.amocrm.ru/leads", "north.example.com", "kommo.com"),
        *("https://evil.example/north.kommo.com", "https://north.kommo.com@evil.example/", "http://north"),
        *("north.kommo.com.evil.example", "a.b.kommo.com", "ftp://north.kommo.com"),
    ],
)
def test_an_address_that_the_template_does_not_give_is_nobodys(text) -> None:
    with pytest.raises(Refusal) as refused:
        subdomain_of(text)
    assert refused.value.code == "foreign_address"


def test_another_template_has_other_addresses(settings) -> None:
    settings.KOMMO_URL_TEMPLATE = "https://{subdomain}.amocrm.ru"
    assert subdomain_of("https://north.amocrm.ru/leads") == "north"
    with pytest.raises(Refusal) as refused:
        subdomain_of("north.kommo.com")
    assert refused.value.code == "foreign_address"


def test_a_simulator_on_this_machine_stands_for_kommo_and_nothing_else(settings) -> None:
    settings.KOMMO_URL_TEMPLATE = "http://127.0.0.1:8100/{subdomain}"
    assert subdomain_of("https://north.kommo.com/leads") == "north"
    with pytest.raises(Refusal) as refused:
        subdomain_of("north.amocrm.ru")
    assert refused.value.code == "foreign_address"


@pytest.mark.parametrize(
    "text",
    ["", "-north", "north-", "nörth", "no rth", "a" * 64, "www.kommo.com", "kommo.com", "north.example.com",
     "https://evil.example/north.kommo.com", "a.b.kommo.com", "north\n.kommo.com", "../north"],
)  # fmt: skip
def test_what_is_no_subdomain_is_refused(text) -> None:
    with pytest.raises(Refusal) as refused:
        subdomain_of(text)
    assert refused.value.code in ("no_subdomain", "foreign_address")


KOMMO = "https://{subdomain}.kommo.com"
BY_PATH = "http://127.0.0.1:8100/{subdomain}"
BY_HOST = "http://{subdomain}.localhost:8100"


@pytest.mark.parametrize(
    ("template", "referer", "subdomain"),
    [
        (KOMMO, "north.kommo.com", "north"),
        (KOMMO, "https://North.kommo.com/", "north"),
        (KOMMO, "north.amocrm.ru", None),
        (KOMMO, "www.kommo.com", None),
        (KOMMO, "kommo.com", None),
        (KOMMO, "north.kommo.com.evil.example", None),
        (KOMMO, "evil.example/north.kommo.com", None),
        (KOMMO, "evil.example#.kommo.com", None),
        (KOMMO, "north.kommo.com:8443", None),
        (KOMMO, "user@north.kommo.com", None),
        (KOMMO, "a.b.kommo.com", None),
        (KOMMO, "127.0.0.1", None),
        (KOMMO, "", None),
        (BY_PATH, "127.0.0.1:8100/north", "north"),
        (BY_PATH, "http://127.0.0.1:8100/north/", "north"),
        (BY_PATH, "127.0.0.1:8100", "expected"),
        (BY_PATH, "north.kommo.com", "north"),
        (BY_PATH, "10.0.0.1/north", None),
        (BY_HOST, "north.localhost:8100", "north"),
        (BY_HOST, "north.localhost", "north"),
        (BY_HOST, "north.evil.example", None),
    ],
)
def test_a_referer_names_a_subdomain_of_the_template_or_nothing(settings, template, referer, subdomain) -> None:
    settings.KOMMO_URL_TEMPLATE = template
    assert subdomain_of_referer(referer, "expected") == subdomain
