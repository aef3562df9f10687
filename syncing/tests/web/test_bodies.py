"""Bodies at the web server: what is over the limit of its path is never stored, and the client still sees why."""

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client

from syncing.tests.web.conftest import receive
from syncing.web import request as requests
from syncing.web.bodies import API, UPLOAD, WEBHOOK, rule_for

FORM = rule_for("/login/").limit
UPLOAD_PATH = "/accounts/account/import/"
TOO_LARGE = pytest.mark.parametrize(
    ("path", "limit"), [("/login/", FORM), ("/api/sync/trigger", API.limit), ("/nowhere", FORM)]
)


def post(path: str, size: int, *, more: str = "", body: bytes | None = None) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n{more}\r\n".encode()
    return head + (b"x" * size if body is None else body)


def chunked(path: str, size: int, *, more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n{more}\r\n"
    piece = 50_000
    pieces = b"".join(b"%x\r\n%s\r\n" % (piece, b"x" * piece) for _ in range(size // piece))
    return head.encode() + pieces + b"0\r\n\r\n"


@TOO_LARGE
def test_a_body_over_the_limit_is_cut_off_and_the_client_that_sends_it_all_sees_the_answer(serve, path, limit) -> None:
    running = serve()
    answer = running.ask(post(path, 40 * limit))
    assert answer.endswith(f"POST {path} cut off {40 * limit} ok".encode())
    assert b"Connection: close" in answer
    assert running.in_loop(lambda: running.server.body_memory.used) == 0


@TOO_LARGE
def test_a_body_within_the_limit_arrives(serve, path, limit) -> None:
    assert serve().ask(post(path, limit)).endswith(f"POST {path} {limit} {limit} ok".encode())


def test_a_chunked_body_over_the_limit_is_cut_off_when_it_passes_it(serve) -> None:
    running = serve()
    answer = running.ask(chunked("/login/", 10 * FORM))
    assert b"POST /login/ cut off" in answer
    told = int(answer.split()[-2])
    assert FORM < told <= FORM + 70_000
    assert running.in_loop(lambda: running.server.body_memory.used) == 0


def test_a_chunked_body_within_the_limit_arrives(serve) -> None:
    assert b"POST /login/ 500000 500000 ok" in serve().ask(chunked("/login/", 500_000))


def test_a_client_that_asks_before_it_sends_is_refused_without_sending(serve) -> None:
    answer = serve().ask(post("/login/", 2 * FORM, more="Expect: 100-continue\r\n", body=b""))
    assert answer.startswith(b"HTTP/1.1 200")  # of the application below; Django's says 413
    assert b"cut off" in answer


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(serve) -> None:
    running = serve()
    with running.connect(post("/login/", 3, more="Expect: 100-continue\r\n", body=b"")) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(b"abc")
        assert b"POST /login/ 3 3 ok" in receive(client)


@pytest.mark.parametrize("size", [10, WEBHOOK.limit - 1, 5 * WEBHOOK.limit])
@pytest.mark.parametrize("build", [post, chunked])
def test_a_body_of_a_webhook_is_thrown_away_whatever_its_size(serve, build, size) -> None:
    running = serve()
    answer = running.ask(build("/api/sync/webhook/token", size))
    assert b"POST /api/sync/webhook/token 0 " in answer
    assert running.in_loop(lambda: running.server.body_memory.used) == 0


def test_when_all_bodies_together_are_too_many_bytes_the_oldest_goes(serve) -> None:
    running = serve(bodies=1_000_000)
    old = running.connect(post("/login/", FORM, body=b"x" * 600_000))
    running.until(lambda: running.server.body_memory.used == 600_000)
    with old, running.connect(post("/login/", 900_000)) as new:
        assert b"POST /login/ 900000 900000 ok" in receive(new)
        assert old.recv(1) == b""


def test_headers_over_their_limit_are_refused(serve) -> None:
    answer = serve().ask(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n")
    assert b" 431 " in answer.splitlines()[0]


@pytest.mark.parametrize("head", ["GET http://[::1/ HTTP/1.1", f"GET / HTTP/1.1\r\nContent-Length: {'9' * 5000}"])
def test_a_request_that_python_cannot_read_is_a_bad_one_and_no_error_of_ours(serve, head, caplog) -> None:
    answer = serve().ask(f"{head}\r\nHost: localhost\r\n\r\n".encode())
    assert b" 400 " in answer.splitlines()[0]
    assert not caplog.records


# -- uploads: it is asked who sends them before they take room --


@pytest.fixture
def cookie(transactional_db: None) -> str:
    user = User.objects.create_user("anna", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="import_account"))
    client = Client()
    client.force_login(user)
    return f"Cookie: {settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}\r\n"


@pytest.mark.parametrize("build", [post, chunked])
def test_an_upload_of_a_person_who_may_arrives(serve, cookie, build) -> None:
    assert f"POST {UPLOAD_PATH} 3000000 3000000 ok".encode() in serve().ask(build(UPLOAD_PATH, 3_000_000, more=cookie))


@pytest.mark.parametrize("build", [post, chunked])
@pytest.mark.parametrize("sent", ["", "Cookie: sessionid=guessed\r\n"])
def test_an_upload_of_somebody_else_takes_no_room(serve, transactional_db, build, sent, monkeypatch) -> None:
    taken = []
    take = requests.BodyMemory.take
    monkeypatch.setattr(requests.BodyMemory, "take", lambda memory, count: (taken.append(count), take(memory, count)))
    assert b"cut off" in serve().ask(build(UPLOAD_PATH, 20_000_000, more=sent))
    assert sum(count for count in taken if count > 0) < 200_000
    assert sum(taken) == 0


def test_an_upload_over_its_limit_is_cut_off_for_everybody(serve, cookie) -> None:
    assert b"cut off" in serve().ask(post(UPLOAD_PATH, UPLOAD.limit + 1, more=cookie))


def test_an_upload_behind_another_request_on_the_same_connection_is_asked_about_once(serve, transactional_db) -> None:
    with serve().connect(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + post(UPLOAD_PATH, 1_000_000)) as client:
        answers = b""
        while chunk := client.recv(65536):
            answers += chunk
    assert b"GET / 0 None ok" in answers
    assert answers.endswith(b"cut off 1000000 ok")


@pytest.mark.parametrize("piece", [b"1\r\nx\r\n", b"9;" + b"y" * 50 + b"\r\nxxxxxxxxx\r\n", b"0" * 100])
def test_a_body_in_tiny_chunks_is_refused_because_each_costs_as_much_as_a_large_one(serve, piece) -> None:
    head = b"POST /api/sync/webhook/token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b" 400 " in serve().ask(head + piece * 10_000).splitlines()[0]


def test_a_short_body_in_tiny_chunks_arrives(serve) -> None:
    head = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b"POST /login/ 500 500 ok" in serve().ask(head + b"1\r\nx\r\n" * 500 + b"0\r\n\r\n")


def test_what_follows_a_refused_body_is_never_taken_for_a_request(serve) -> None:
    running = serve()
    hidden = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
    asked: list[str] = []
    answer = running.server.application

    def recorded(environ: dict[str, Any], start_response: Any) -> Any:
        asked.append(environ["PATH_INFO"])
        return answer(environ, start_response)

    running.server.application = recorded
    with running.connect(post("/login/", 2 * FORM, body=hidden)) as client:
        assert b"cut off" in receive(client)
        running.until(lambda: any(channel.lingers_until for channel in running.server.active_channels.values()))
        (channel,) = running.server.active_channels.values()
        assert not running.in_loop(lambda: channel.received(hidden))  # came before the answer, is looked at after it
        client.sendall(hidden)
        assert client.recv(1) == b""
    running.wait_for_connections(0)
    assert asked == ["/login/"]
