"""Clients that are slow, or stop in the middle: nobody else waits for them, and each of them has an end."""

import socket
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest

from syncing.tests.web.conftest import GET, is_closed, receive
from syncing.web.connection import ARRIVAL, IDLE, SLOWEST, STALLED
from syncing.web.server import THREADS

HALF_HEADERS = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HALF_BODY = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc"


def test_it_answers_within_a_second_beside_100_half_headers_100_half_bodies_and_100_idle_connections(serve) -> None:
    running = serve()
    with ExitStack() as stack:
        for data in (HALF_HEADERS, HALF_BODY, b""):
            for _ in range(100):
                stack.enter_context(running.connect(data))
        running.wait_for_connections(300)
        took = [seconds_to_answer(running) for _ in range(5)]
        assert min(took) < 1  # on a busy machine not the first
        assert max(took) < ARRIVAL / 2  # nobody waits until the slow ones are sent away


def seconds_to_answer(running: Any) -> float:
    begun = time.perf_counter()
    assert running.ask().startswith(b"HTTP/1.1 200")
    return time.perf_counter() - begun


@pytest.mark.parametrize("data", [HALF_HEADERS, HALF_BODY, b""], ids=["headers", "body", "idle"])
def test_a_crowd_over_the_limit_loses_its_oldest_and_the_newcomer_is_answered(serve, data: bytes) -> None:
    running = serve(connections=5)
    with ExitStack() as stack:
        crowd = [stack.enter_context(running.connect(data)) for _ in range(5)]
        running.wait_for_connections(5)
        assert running.ask().startswith(b"HTTP/1.1 200")
        assert is_closed(crowd[0])
        crowd[4].settimeout(0.01)
        with pytest.raises(TimeoutError):
            crowd[4].recv(1)


def test_headers_that_trickle_end_at_their_deadline_however_recent_the_last_byte(serve) -> None:
    running = serve()
    with running.connect(HALF_HEADERS) as client:
        running.wait_for_connections(1)
        running.later(ARRIVAL - 1)
        client.sendall(b"a")
        running.wait_for_connections(1)
        running.later(ARRIVAL + 1)
        assert is_closed(client)


def test_a_body_has_as_much_time_as_its_bytes_earn(serve) -> None:
    running = serve()
    sent = 100_000
    head = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"
    with running.connect(head + b"x" * sent) as client:
        running.until(lambda: running.server.body_memory.used == sent)
        running.later(ARRIVAL + sent / SLOWEST - 1)
        running.wait_for_connections(1)
        running.later(ARRIVAL + sent / SLOWEST + 1)
        assert is_closed(client)
    running.until(lambda: running.server.body_memory.used == 0)


def test_a_kept_connection_without_a_request_is_ended(serve) -> None:
    running = serve()
    with running.connect(GET) as client:
        assert b"200 OK" in receive(client)
        running.until(running.is_at_rest)
        running.later(IDLE - 1)
        client.sendall(GET)
        assert b"200 OK" in receive(client)
        running.until(running.is_at_rest)
        running.later(IDLE + 1)
        assert is_closed(client)


def test_a_client_that_takes_nothing_of_a_long_answer_gives_its_thread_back(serve) -> None:
    ended = threading.Event()

    def long_answer(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/csv")])
        try:
            while True:
                yield b"x" * 1_000_000
        finally:
            ended.set()

    running = serve(long_answer)
    with running.connect(GET):
        running.until(
            lambda: any(channel.total_outbufs_len > 16_000_000 for channel in running.server.active_channels.values())
        )
        running.later(STALLED - 1)
        assert not ended.wait(0.05)
        running.later(STALLED + 5)
        assert ended.wait(60)


def test_a_request_in_hand_is_finished_when_the_server_is_stopped_and_nobody_else_gets_in(serve) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        begun.set()
        go_on.wait(60)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    running = serve(slow)
    with running.connect(GET) as client, running.connect(HALF_HEADERS):
        assert begun.wait(60)
        running.server.stop()
        while not refuses(running.port):
            time.sleep(0.002)
        go_on.set()
        assert receive(client).endswith(b"ok")
        assert is_closed(client)


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionError:
        return True
    return False


def test_two_requests_in_one_piece_are_both_answered(serve) -> None:
    running = serve()
    with running.connect(GET + GET) as client:
        answers = b""
        while answers.count(b"200 OK") < 2 and (chunk := client.recv(65536)):
            answers += chunk
        assert answers.count(b"200 OK") == 2


def test_many_requests_at_once_on_one_connection_are_kept_as_bytes_and_answered_in_order(serve) -> None:
    running = serve()
    begun, go_on = threading.Event(), threading.Event()
    answer = running.server.application

    def held(environ: dict[str, Any], start_response: Any) -> Any:
        begun.set()
        go_on.wait(60)
        return answer(environ, start_response)

    running.server.application = held
    asked = b"".join(b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number for number in range(150))
    with running.connect(asked) as client:
        assert begun.wait(60)
        assert running.in_loop(lambda: [len(c.requests) for c in running.server.active_channels.values()]) == [1]
        go_on.set()
        answers = b""
        while b"/149 " not in answers and (chunk := client.recv(65536)):
            answers += chunk
    assert [int(part.split()[0]) for part in answers.split(b"GET /")[1:]] == list(range(150))


def test_a_crowd_of_logins_keeps_nobody_waiting_but_other_logins(serve) -> None:
    go_on = threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            go_on.wait(15)  # longer than a client waits here
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    running = serve(application)
    login = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
    with ExitStack() as stack:
        crowd = [stack.enter_context(running.connect(login + GET)) for _ in range(THREADS + 2)]
        running.until(
            lambda: sum(bool(each.requests) for each in running.server.active_channels.values()) == len(crowd)
        )
        assert running.ask().endswith(b"ok")
        assert running.ask(GET.replace(b"/healthz", b"/login/")).endswith(b"ok")
        go_on.set()
        for client in crowd:
            answers = b""
            while answers.count(b"200 OK") < 2 and (chunk := client.recv(65536)):
                answers += chunk
            assert answers.count(b"200 OK") == 2
