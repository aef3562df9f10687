"""Broken connections, over real sockets: what is known of a request that got no answer."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from accounts.kommo.client import KommoClient
from accounts.kommo.errors import BadAnswer, NetworkError, Unpaid
from accounts.kommo.network import network_error
from accounts.kommo.retry import Policy
from accounts.tests.kommo.world import make_client

ONCE = Policy(attempts=1)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "


@contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """An address where `answer` is given every connection, once its request has been read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/north"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def client(base_url: str, *, read_timeout: float = 5, policy: Policy = ONCE) -> KommoClient:
    return make_client(base_url=base_url, timeout=(2, read_timeout), policy=policy)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def post_error(base_url: str, **more: float) -> NetworkError:
    with client(base_url, **more) as north, pytest.raises(NetworkError) as caught:
        north.post("/leads/pipelines", [{"name": "Sales"}])
    return caught.value


def test_a_reset_leaves_the_outcome_of_a_write_open() -> None:
    with server(reset) as url:
        error = post_error(url)
    assert (error.sent, error.outcome_unknown, error.code) == (None, True, "unreachable")
    assert str(error) == "north: POST /leads/pipelines: the connection broke"


def test_no_answer_in_time_leaves_the_outcome_of_a_write_open() -> None:
    done = threading.Event()
    with server(lambda connection: done.wait(60)) as url:
        error = post_error(url, read_timeout=0.1)
        done.set()
    assert (error.sent, error.outcome_unknown, error.detail) == (None, True, "no answer in time")


def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = post_error(f"http://127.0.0.1:{port}/north")
    assert (error.sent, error.outcome_unknown, error.detail) == (False, False, "the connection was refused")


def test_a_post_whose_connection_was_never_made_is_sent_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with client(f"http://127.0.0.1:{port}", policy=Policy(attempts=3)) as north, pytest.raises(NetworkError):
        north.post("/x", [{}])
    assert north.requests == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_body_shorter_than_announced_is_a_bad_answer(method: str) -> None:
    cut = OK + b'50\r\n\r\n{"_embedded":{}}'
    with (
        server(lambda connection: connection.sendall(cut)) as url,
        client(url) as north,
        pytest.raises(BadAnswer, match="broke off") as caught,
    ):
        north.get("/x") if method == "GET" else north.post("/x", [{}])
    assert caught.value.outcome_unknown == (method == "POST")


def test_a_truncated_read_is_read_again_on_a_new_connection() -> None:
    answers = iter([OK + b'50\r\n\r\n{"a', OK + b'8\r\n\r\n{"id":1}'])
    with server(lambda connection: connection.sendall(next(answers))) as url, client(url, policy=Policy()) as north:
        assert north.get("/x") == {"id": 1}


def test_the_status_counts_even_when_the_body_broke_off() -> None:
    answer = b"HTTP/1.1 402 Payment Required\r\nContent-Length: 500\r\n\r\n{"
    with (
        server(lambda connection: connection.sendall(answer)) as url,
        client(url) as north,
        pytest.raises(Unpaid, match="402"),
    ):
        north.post("/x", [{}])


def test_a_host_that_is_not_known_is_told_apart_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with client("https://nobody.kommo.com", policy=Policy()) as north, pytest.raises(NetworkError) as caught:
        north.get("/account")
    assert (caught.value.sent, caught.value.retryable, north.requests) == (False, False, 1)
    assert caught.value.remedy.startswith("There is no such host")


def test_a_resolver_that_is_busy_is_asked_again() -> None:
    cause = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    error = network_error(requests.ConnectionError(cause), method="POST")
    assert error.retryable


@pytest.fixture
def untrusted(tmp_path: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    certificate = builder.sign(key, hashes.SHA256())
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(
    untrusted: ssl.SSLContext,
) -> None:
    heard: list[bytes] = []

    def shake(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        try:
            with untrusted.wrap_socket(connection, server_side=True) as secure:
                heard.append(secure.recv(100))
        except (ssl.SSLError, OSError):
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=shake, args=(listener,), daemon=True)
        thread.start()
        error = post_error(f"https://127.0.0.1:{listener.getsockname()[1]}/north")
        thread.join(60)
    assert (error.sent, error.retryable, error.outcome_unknown) == (False, False, False)
    assert "certificate" in error.remedy
    assert heard in ([], [b""])
