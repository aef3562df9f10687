"""The limit of requests of an API key."""

import pytest
from django.test import Client

from syncing.api import rates
from syncing.api.rates import KeyRates
from syncing.services.keys import create_key

pytestmark = pytest.mark.django_db
STATUS = "/api/sync/status"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    monkeypatch.setattr(rates, "_rates", KeyRates())
    settings.API_RATE = 3


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(name=name, scopes=['read'])[1]}"}


def codes(headers: dict[str, str], count: int) -> list[int]:
    return [Client().get(STATUS, headers=headers).status_code for _ in range(count)]


def test_a_key_that_asks_too_often_is_told_when_to_ask_again() -> None:
    headers = bearer("one")
    assert codes(headers, 4) == [200, 200, 200, 429]
    answer = Client().get(STATUS, headers=headers)
    assert (answer.json()["code"], answer["Content-Type"]) == ("rate_limited", "application/problem+json")
    assert 1 <= int(answer["Retry-After"]) <= 20
    assert "no-cache" in answer["Cache-Control"]


def test_two_keys_do_not_share() -> None:
    one, two = bearer("one"), bearer("two")
    assert codes(one, 4)[-1] == 429
    assert codes(two, 3) == [200, 200, 200]


def test_nought_is_no_limit(settings) -> None:
    settings.API_RATE = 0
    assert set(codes(bearer("one"), 20)) == {200}


def test_requests_without_a_known_key_are_not_counted_and_take_no_memory() -> None:
    for number in range(50):
        Client().get(STATUS, headers={"Authorization": f"Bearer ks_{number}"})
    assert rates._rates._buckets == {}


def test_a_key_that_lacks_the_scope_is_counted_too() -> None:
    headers = {"Authorization": f"Bearer {create_key(name='t', scopes=['trigger'])[1]}"}
    assert codes(headers, 4) == [403, 403, 403, 429]


def test_it_fills_again_steadily_up_to_one_minutes_requests() -> None:
    moment = 1000.0
    buckets = KeyRates(clock=lambda: moment)
    assert [buckets.wait(1, 60) for _ in range(60)] == [0.0] * 60
    assert buckets.wait(1, 60) == pytest.approx(1.0)
    moment += 0.5
    assert buckets.wait(1, 60) == pytest.approx(0.5)
    moment += 0.5
    assert buckets.wait(1, 60) == 0.0
    assert buckets.wait(1, 60) > 0
    moment += 3600
    assert [buckets.wait(1, 60) for _ in range(60)] == [0.0] * 60
    assert buckets.wait(1, 60) > 0


def test_another_limit_counts_at_once() -> None:
    buckets = KeyRates(clock=lambda: 0.0)
    assert [buckets.wait(1, 100) for _ in range(10)] == [0.0] * 10
    assert [bool(buckets.wait(1, 2)) for _ in range(3)] == [False, False, True]
