"""The client: what it sends, what it repeats, what it keeps to itself."""

import logging
from typing import Any

import pytest
import requests
from requests_mock import Mocker

from accounts import __version__, conf
from accounts.kommo.errors import BadAnswer, IpBlocked, KommoError, RateLimited, ReadOnly, ServerError, Unauthorised
from accounts.kommo.pacing import step_of
from accounts.kommo.stopping import Stop, Stopped
from accounts.kommo.tokens import FixedToken
from accounts.kommo.transport import Exchange
from accounts.tests.kommo.world import API, TOKEN, Clock, Refreshing, jwt, make_client

URL = f"{API}/leads/pipelines"
PATH = "/leads/pipelines"
DONE: dict[str, Any] = {"_embedded": {"pipelines": [{"id": 1, "account_id": 7}]}}


class TestSending:
    def test_it_says_who_it_is_and_what_it_wants(self, requests_mock: Mocker) -> None:
        requests_mock.post(URL, json=DONE)
        assert make_client(user_agent="KommoSync/1").post(PATH, [{"name": "Sales 🚀"}]) == DONE
        sent = requests_mock.last_request
        assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
        assert sent.headers["User-Agent"] == "KommoSync/1"
        assert sent.headers["Content-Type"] == "application/json"
        assert sent.headers["Content-Length"] == str(len(sent.body))
        assert sent.json() == [{"name": "Sales 🚀"}]
        assert sent.timeout == (5, 30)
        assert sent.verify

    def test_it_says_which_version_it_is(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, json=DONE)
        make_client().get(PATH)
        assert requests_mock.last_request.headers["User-Agent"].startswith(f"KommoSync/{__version__} ")
        assert requests_mock.last_request.headers["User-Agent"] == conf.USER_AGENT

    def test_it_speaks_to_accounts_below_a_path_too(self, requests_mock: Mocker) -> None:
        requests_mock.patch("http://127.0.0.1:8100/north/api/v4/leads/pipelines/1", json=DONE)
        client = make_client(base_url="http://127.0.0.1:8100/north/")
        assert client.patch("/leads/pipelines/1", {"name": "Sales"}) == DONE

    def test_it_quotes_what_could_leave_the_path(self, requests_mock: Mocker) -> None:
        requests_mock.get(f"{API}/groups/a%3Fb", json=DONE)
        assert make_client().get("/groups/a?b", {"filter[id][]": [1, 2]}) == DONE
        assert requests_mock.last_request.qs == {"filter[id][]": ["1", "2"]}

    @pytest.mark.parametrize("answer", [{"status_code": 204}, {"json": {}}])
    def test_a_delete_is_done_with_either_answer(self, answer: dict[str, Any], requests_mock: Mocker) -> None:
        requests_mock.delete(f"{URL}/1", **answer)
        make_client().delete(f"{PATH}/1")
        assert requests_mock.call_count == 1

    def test_no_netrc_takes_the_place_of_the_token(
        self, requests_mock: Mocker, tmp_path: Any, monkeypatch: Any
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine north.kommo.com login a password b")
        monkeypatch.setenv("NETRC", str(netrc))
        requests_mock.get(URL, json=DONE)
        make_client().get(PATH)
        assert requests_mock.last_request.headers["Authorization"] == f"Bearer {TOKEN}"

    def test_it_collects_whose_account_answered(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, json=DONE)
        client = make_client()
        client.get(PATH)
        assert client.account_ids == {7}

    def test_a_read_only_client_sends_no_write(self, requests_mock: Mocker) -> None:
        client = make_client(read_only=True)
        for write in (lambda: client.post(PATH, []), lambda: client.patch(PATH, {}), lambda: client.delete(PATH)):
            with pytest.raises(ReadOnly):
                write()
        assert not requests_mock.called
        assert client.requests == 0


class TestRepeating:
    def test_it_waits_out_errors_of_the_server_with_growing_pauses(self, requests_mock: Mocker) -> None:
        clock = Clock()
        client = make_client(clock)
        requests_mock.get(URL, [{"status_code": 500}, {"status_code": 502}, {"json": DONE}])
        assert client.get(PATH) == DONE
        assert clock.sleeps == [0.25, 0.5]
        assert client.requests == 3

    def test_it_gives_up_with_the_last_error(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, status_code=503)
        client = make_client()
        with pytest.raises(ServerError):
            client.get(PATH)
        assert client.requests == 5

    @pytest.mark.parametrize("status", [500, 504])
    def test_a_post_is_sent_once_whatever_the_server_says(self, status: int, requests_mock: Mocker) -> None:
        requests_mock.post(URL, status_code=status)
        with pytest.raises(ServerError) as caught:
            make_client().post(PATH, [{}])
        assert caught.value.outcome_unknown
        assert requests_mock.call_count == 1

    @pytest.mark.parametrize("body", [b"", b'{"_embedded": {"pipe'], ids=["empty", "truncated"])
    def test_a_post_with_a_lost_answer_is_unknown_and_sent_once(self, body: bytes, requests_mock: Mocker) -> None:
        requests_mock.post(URL, content=body)
        with pytest.raises(BadAnswer) as caught:
            make_client().post(PATH, [{}])
        assert caught.value.outcome_unknown
        assert requests_mock.call_count == 1

    def test_a_patch_goes_again_after_504(self, requests_mock: Mocker) -> None:
        requests_mock.patch(URL, [{"status_code": 504}, {"json": DONE}])
        assert make_client().patch(PATH, {"name": "x"}) == DONE

    def test_a_patch_that_may_have_happened_stays_unknown_whatever_comes_after(self, requests_mock: Mocker) -> None:
        requests_mock.patch(URL, [{"status_code": 504}, {"status_code": 402}])
        with pytest.raises(KommoError) as caught:
            make_client().patch(PATH, {})
        assert (caught.value.code, caught.value.outcome_unknown) == ("unpaid", True)

    def test_a_truncated_read_is_read_again(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, [{"content": b'{"_emb'}, {"content": b""}, {"json": DONE}])
        assert make_client().get(PATH) == DONE

    def test_a_redirect_is_an_error_and_goes_nowhere(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, status_code=301, headers={"Location": "http://[odd"})
        with pytest.raises(BadAnswer, match="never followed"):
            make_client().get(PATH)
        assert requests_mock.call_count == 1

    def test_every_attempt_is_reported(self, requests_mock: Mocker) -> None:
        seen: list[Exchange] = []
        requests_mock.get(URL, [{"exc": requests.ConnectTimeout}, {"status_code": 500}, {"json": DONE}])
        make_client(on_request=seen.append).get(PATH)
        assert [(one.method, one.path, one.status) for one in seen] == [
            ("GET", PATH, None),
            ("GET", PATH, 500),
            ("GET", PATH, 200),
        ]


class TestRateLimits:
    @pytest.mark.parametrize(
        ("answer", "pause"),
        [
            ({"json": {"status": 429, "retry_after": 7}}, 7.0),
            ({"json": {"status": 429, "retry_after": 7}, "headers": {"Retry-After": "3"}}, 3.0),
            ({"text": "Too Many Requests", "headers": {"Retry-After": "4"}}, 4.0),
            ({"text": "<html>429</html>"}, 1.25),
            ({"content": b""}, 1.25),
        ],
        ids=["body", "header and body", "plain with header", "html", "empty"],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_429_pauses_the_account_as_long_as_it_asks(
        self, method: str, answer: dict[str, Any], pause: float, requests_mock: Mocker
    ) -> None:
        clock = Clock()
        client = make_client(clock)
        requests_mock.request(method, URL, [{"status_code": 429, **answer}, {"json": DONE}])
        assert (client.get(PATH) if method == "GET" else client.post(PATH, [{}])) == DONE
        assert clock.now - 1000 == pause

    def test_a_pause_too_long_is_not_waited_for_and_kept_for_the_next_request(self, requests_mock: Mocker) -> None:
        clock = Clock()
        client = make_client(clock)
        requests_mock.get(URL, status_code=429, json={"retry_after": 300})
        with pytest.raises(RateLimited, match="asks to wait 300 s, until"):
            client.get(PATH)
        with pytest.raises(RateLimited, match="held for 300 s"):
            client.get(PATH)
        assert client.requests == 1
        assert clock.sleeps == []


class TestPace:
    def test_the_second_request_is_spaced_from_the_first_answer_as_its_connection_took_time(
        self, requests_mock: Mocker
    ) -> None:
        clock = Clock()

        def slow_handshake(*args: Any) -> dict[str, Any]:
            clock.now += 0.15
            return DONE

        requests_mock.get(URL, json=slow_handshake)
        client = make_client(clock, rate=5)
        for _ in range(3):
            client.get(PATH)
        assert clock.sleeps == [pytest.approx(step_of(5)), pytest.approx(step_of(5) - 0.15)]


class TestTokens:
    def test_a_refused_token_is_replaced_once(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, [{"status_code": 401}, {"json": DONE}])
        assert make_client(tokens=Refreshing("old", "new")).get(PATH) == DONE
        sent = [request.headers["Authorization"] for request in requests_mock.request_history]
        assert sent == ["Bearer old", "Bearer new"]

    def test_a_second_refusal_ends_it(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, status_code=401)
        with pytest.raises(Unauthorised):
            make_client(tokens=Refreshing("old", "new", "newer")).get(PATH)
        assert requests_mock.call_count == 2

    def test_a_fixed_token_is_refused_once(self, requests_mock: Mocker) -> None:
        requests_mock.post(URL, status_code=401, json={"detail": "Invalid user name or password"})
        with pytest.raises(Unauthorised, match="Invalid user name"):
            make_client().post(PATH, [{}])
        assert requests_mock.call_count == 1

    @pytest.mark.parametrize(
        ("expected", "code"), [(7, "wrong_account"), (4711, "unauthorised"), (None, "unauthorised")]
    )
    def test_a_refused_token_that_names_another_account_is_the_wrong_one(
        self, expected: int | None, code: str, requests_mock: Mocker
    ) -> None:
        requests_mock.get(URL, status_code=401)
        with pytest.raises(Unauthorised) as caught:
            make_client(tokens=FixedToken(jwt(account_id=4711)), account_id=expected).get(PATH)
        assert caught.value.code == code

    @pytest.mark.parametrize("token", ["", "token\nof-north", "token of-north", "tóken-of-north"])
    def test_a_token_that_fits_no_header_is_refused_unsent_and_unquoted(
        self, token: str, requests_mock: Mocker
    ) -> None:
        with pytest.raises(Unauthorised) as caught:
            make_client(tokens=FixedToken(token)).get(PATH)
        assert not requests_mock.called
        assert not token or token not in str(caught.value)

    def test_no_error_and_no_log_line_shows_the_token(
        self, requests_mock: Mocker, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        client = make_client()
        for answer in ({"status_code": 500, "text": TOKEN}, {"exc": requests.ConnectionError}):
            requests_mock.get(URL, **answer)
            with pytest.raises(KommoError) as caught:
                client.get(PATH)
            assert TOKEN not in str(caught.value) + repr(caught.value) + repr(vars(caught.value))
        assert caplog.records
        assert TOKEN not in caplog.text + repr(client)


class TestStopping:
    def test_a_plain_403_stops_every_client_of_the_process(self, requests_mock: Mocker) -> None:
        process = Stop()
        north, south = make_client(stop=Stop(process)), make_client(stop=Stop(process))
        requests_mock.get(URL, status_code=403, text="<html>403 Forbidden</html>")
        with pytest.raises(IpBlocked):
            north.get(PATH)
        with pytest.raises(Stopped) as caught:
            south.get(PATH)
        assert caught.value.code == "ip_blocked"
        assert requests_mock.call_count == 1

    def test_a_json_403_concerns_this_account_only(self, requests_mock: Mocker) -> None:
        process = Stop()
        requests_mock.get(URL, status_code=403, json={"detail": "Insufficient rights"})
        with pytest.raises(KommoError) as caught:
            make_client(stop=Stop(process)).get(PATH)
        assert caught.value.code == "forbidden"
        process.check()

    def test_a_cancel_between_two_attempts_keeps_that_the_first_may_have_happened(self, requests_mock: Mocker) -> None:
        clock, stop = Clock(), Stop()
        clock.on_sleep = lambda seconds: stop.set("cancelled")
        requests_mock.patch(URL, status_code=504)
        with pytest.raises(Stopped) as caught:
            make_client(clock, stop=stop).patch(PATH, {})
        assert (caught.value.code, caught.value.outcome_unknown) == ("cancelled", True)
        assert caught.value.account == "north"
        assert requests_mock.call_count == 1
