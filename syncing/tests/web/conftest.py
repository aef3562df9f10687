"""A running web server around a small application, and clients that behave badly."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from syncing.web.server import WSGI, Server, listen

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Running:
    """The server in a thread; every look into it happens in its own main loop."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = int(server.effective_port)

    def connect(self, data: bytes = b"") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        client.sendall(data)
        return client

    def ask(self, data: bytes = GET) -> bytes:
        with self.connect(data) as client:
            return receive(client)

    def in_loop(self, function: Callable[[], Any]) -> Any:
        done = threading.Event()
        found: list[Any] = []
        self.server.trigger.pull_trigger(lambda: (found.append(function()), done.set()))
        assert done.wait(60)
        return found[0]

    def later(self, seconds: float) -> None:
        """What the server does when so much time has passed."""
        self.in_loop(lambda: self.server.maintenance(time.time() + seconds))

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not self.in_loop(condition):
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.002)

    def is_at_rest(self) -> bool:
        return not any(channel.is_answered for channel in self.server.active_channels.values())

    def wait_for_connections(self, count: int) -> None:
        self.until(lambda: len(self.server.active_channels) == count)


def receive(client: socket.socket) -> bytes:
    """One answer: its headers, and as much of a body as they announce."""
    answer = b""
    while chunk := client.recv(65536):
        answer += chunk
        head, end, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if end and length and len(body) >= int(length[1]):
            break
    return answer


def is_closed(client: socket.socket) -> bool:
    """Waits for the server to end the connection."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Says how many bytes of a body it could read."""
    try:
        size = str(len(environ["wsgi.input"].read()))
    except OSError:
        size = "cut off"
    body = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {size} {environ.get('CONTENT_LENGTH')} ok".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@contextmanager
def serving(application: WSGI, **options: Any) -> Iterator[Running]:
    server = Server(application, listen("127.0.0.1", 0), **{"connections": 400, **options})
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Running(server)
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()
        server.trigger.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    with ExitStack() as stack:
        yield lambda application=echo, **options: stack.enter_context(serving(application, **options))
