"""Pace, blocks and the log that witnesses them (docs/kommo.md 2)."""

import json

import pytest


@pytest.fixture
def limits(world):
    world.limits.key = "ip"
    return world.limits


def statuses(caller, number, **headers):
    return [caller.get("account", **headers).status for _ in range(number)]


def test_the_eighth_request_within_a_second_is_refused(north, limits):
    assert statuses(north, 8) == [200] * 7 + [429]


def test_the_window_slides(north, limits, moment):
    statuses(north, 3)
    moment.now += 0.6
    statuses(north, 4)
    moment.now += 0.4
    assert statuses(north, 4) == [200, 200, 200, 429]


def test_refused_requests_count_too(north, limits, moment):
    statuses(north, 9)
    moment.now += 0.99
    assert statuses(north, 1) == [429]


def test_the_limit_of_an_ip_spans_its_accounts(north, south, limits):
    assert statuses(north, 5) == [200] * 5
    assert statuses(south, 3) == [200, 200, 429]
    assert statuses(south, 1, X_Forwarded_For="10.0.0.9, 10.0.0.1") == [200]


def test_the_limit_of_an_account_spans_its_ips(north, south, limits):
    limits.key = "account"
    assert statuses(north, 7) == [200] * 7
    assert statuses(north, 1, X_Forwarded_For="10.0.0.9") == [429]
    assert statuses(south, 1) == [200]


def test_a_429_is_json_with_retry_after(north, limits):
    limits.per_second, limits.retry_after = 0, 300
    reply = north.get("account")
    assert (reply.body["title"], reply.body["retry_after"]) == ("Too Many Requests", 300)
    assert "Retry-After" not in reply.headers


def test_a_429_may_be_plain_and_carry_a_header(north, limits):
    limits.per_second, limits.plain_body, limits.retry_after_header = 0, True, True
    reply = north.get("account")
    assert (reply.headers["Content-Type"], reply.headers["Retry-After"]) == ("text/html", "1")
    with pytest.raises(json.JSONDecodeError):
        _ = reply.body


def test_ten_429s_in_a_minute_block_the_ip_for_every_account(world, north, south, limits, moment):
    statuses(north, 16)
    moment.now += 100
    assert statuses(south, 1) == [200]
    statuses(north, 17)
    moment.now += 100
    reply = south.get("account")
    assert (reply.status, reply.headers["Content-Type"]) == (403, "text/html")
    assert statuses(south, 1, X_Forwarded_For="10.0.0.9") == [200]
    world.limiter.reset()
    assert statuses(south, 1) == [200]


def test_nobody_is_blocked_when_the_variant_is_zero(north, limits, moment):
    limits.block_after = 0
    statuses(north, 40)
    moment.now += 2
    assert statuses(north, 1) == [200]


def test_the_log_keeps_every_request_and_finds_the_peak(world, north, south, moment):
    for _ in range(3):
        statuses(north, 1)
        moment.now += 0.4
    statuses(south, 2)
    north.post("leads/pipelines", b"[1]")
    assert world.peak_per_second() == 5
    assert (world.peak_per_second("north"), world.peak_per_second("south")) == (3, 2)
    last = world.log[-1]
    assert (last.method, last.path, last.status, last.body) == ("POST", "/api/v4/leads/pipelines", 400, b"[1]")
    assert (len(world.log), len(world.log.of("north", "GET"))) == (6, 3)
    assert [record.number for record in world.log.since(4)] == [5, 6]
    world.log.clear()
    assert (len(world.log), world.peak_per_second()) == (0, 0)
