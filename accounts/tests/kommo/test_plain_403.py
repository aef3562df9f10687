"""What a plain 403 means, and that nobody else sends anything while it is found out."""

import threading
import time

import pytest
from requests_mock import ANY, Mocker

from accounts.kommo.client import KommoClient
from accounts.kommo.errors import IpBlocked
from accounts.kommo.plain_403 import AskOthers, IpNotAllowed, Plain403Check, RequestRefused
from accounts.kommo.stopping import Stop, Stopped
from accounts.kommo.tokens import FixedToken
from accounts.kommo.transport import Transport
from accounts.tests.kommo.world import API, NORTH, TOKEN, Clock, make_pacer

HTML = {"status_code": 403, "text": "<html>403 Forbidden</html>"}


def client(stop: Stop, ask_others: AskOthers, **facts: object) -> KommoClient:
    transport = Transport(NORTH, make_pacer(Clock(), stop=Stop(stop)), account="north")
    plain_403_check = Plain403Check(transport, ask_others, **facts)  # type: ignore[arg-type]
    return KommoClient(transport, FixedToken(TOKEN), plain_403_check=plain_403_check)


def test_a_request_of_an_account_that_answers_otherwise_is_refused_alone(requests_mock: Mocker) -> None:
    stop = Stop()
    requests_mock.post(f"{API}/leads/custom_fields", **HTML)
    requests_mock.get(f"{API}/account", json={"id": 1})

    with pytest.raises(RequestRefused) as refused:
        client(stop, lambda: pytest.fail("nobody else is asked")).post("/leads/custom_fields", [{"name": "<script>"}])

    assert (refused.value.code, refused.value.status) == ("validation", 403)
    assert not stop.is_set
    assert requests_mock.call_count == 2


def test_a_refused_question_who_the_account_is_is_put_in_another_way(requests_mock: Mocker) -> None:
    requests_mock.get(f"{API}/account", **HTML)
    requests_mock.get(f"{API}/leads/pipelines", json={})

    with pytest.raises(RequestRefused):
        client(Stop(), lambda: None).get("/account")


@pytest.mark.parametrize("status", [200, 401, 402, 404, 429, 500])
def test_any_answer_but_a_plain_403_shows_that_the_account_lets_us_in(requests_mock: Mocker, status: int) -> None:
    requests_mock.patch(ANY, **HTML)
    requests_mock.get(f"{API}/account", status_code=status, json={"detail": "said by the API"})

    with pytest.raises(RequestRefused):
        client(Stop(), lambda: False).patch("/leads/pipelines/1", {})


@pytest.mark.parametrize("others", [True, None])
def test_an_account_that_refuses_all_alone_is_not_a_blocked_address(requests_mock: Mocker, others: bool | None) -> None:
    stop = Stop()
    requests_mock.get(ANY, **HTML)

    with pytest.raises(IpNotAllowed) as refused:
        client(stop, lambda: others).get("/leads/pipelines")

    assert not stop.is_set
    assert "whitelist" in refused.value.remedy
    assert ("no other account to ask" in refused.value.detail) == (others is None)


def test_when_the_others_refuse_as_well_everything_is_stopped(requests_mock: Mocker) -> None:
    stop = Stop()
    requests_mock.get(ANY, **HTML)

    with pytest.raises(IpBlocked):
        client(stop, lambda: False).get("/leads/pipelines")

    assert stop.reason == "ip_blocked"


def test_the_answer_of_another_account_is_good_for_some_seconds(requests_mock: Mocker) -> None:
    stop, asked = Stop(), list[int]()
    requests_mock.get(ANY, **HTML)

    def ask() -> bool:
        asked.append(1)
        return True

    for _ in range(20):
        with pytest.raises(IpNotAllowed):
            client(stop, ask).get("/leads/pipelines")

    assert len(asked) == 1


def test_one_that_refused_alone_the_last_time_is_asked_once(requests_mock: Mocker) -> None:
    requests_mock.get(ANY, **HTML)

    with pytest.raises(IpNotAllowed):
        client(Stop(), lambda: pytest.fail("nobody else is asked"), refused_before=True).get("/leads/pipelines")

    assert requests_mock.call_count == 1


def test_one_that_refused_the_last_time_and_lets_us_in_now_is_judged_as_any_other(requests_mock: Mocker) -> None:
    requests_mock.get(f"{API}/leads/pipelines", json={})
    requests_mock.post(ANY, **HTML)
    requests_mock.get(f"{API}/account", json={})
    north = client(Stop(), lambda: False, refused_before=True)
    north.get("/leads/pipelines")

    with pytest.raises(RequestRefused):
        north.post("/leads/custom_fields", [{}])


def test_while_it_is_found_out_nobody_else_sends_and_one_enquiry_is_enough(requests_mock: Mocker) -> None:
    """Six threads are refused at the same time, and four more want to send: none of those does."""
    stop, asking, asked = Stop(), threading.Event(), list[int]()
    requests_mock.get(f"{API}/refused", **HTML)
    requests_mock.get(f"{API}/account", **HTML)
    requests_mock.get(f"{API}/late", json={})
    errors: list[Exception] = []

    def ask() -> bool:
        asked.append(1)
        asking.set()
        time.sleep(0.2)  # the others try meanwhile
        return False

    def send(path: str) -> None:
        if path == "/late":
            asking.wait(60)
        try:
            client(stop, ask).get(path)
        except (IpBlocked, Stopped) as error:
            errors.append(error)

    crew = [threading.Thread(target=send, args=(path,)) for path in ["/refused"] * 6 + ["/late"] * 4]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(60)

    assert len(errors) == 10
    assert {error.code for error in errors} == {"ip_blocked"}  # type: ignore[attr-defined]
    assert len(asked) == 1
    assert not [request for request in requests_mock.request_history if request.path.endswith("/late")]


def test_a_stop_ends_the_wait_for_somebody_elses_enquiry() -> None:
    process = Stop()
    mine, other = Stop(process), Stop(process)
    inside, done = threading.Event(), threading.Event()

    def enquire() -> None:
        with other.alone():
            inside.set()
            done.wait(60)

    thread = threading.Thread(target=enquire)
    thread.start()
    inside.wait(60)
    mine.set("cancelled")
    with pytest.raises(Stopped, match="cancelled"):
        mine.check()
    with pytest.raises(Stopped, match="cancelled"), mine.alone():
        pytest.fail("it was stopped")
    done.set()
    thread.join(60)
    other.check()
