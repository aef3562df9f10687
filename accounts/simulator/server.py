"""A small HTTP/1.1 server for the simulator: a thread per connection, keep-alive, one write per answer, real resets."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import threading
import time
from email.utils import formatdate
from functools import lru_cache
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from accounts.simulator.world import World
from accounts.simulator.wsgi import AnswerLost, Simulator

BACKLOG = 512
CHUNK = 65_536
MAX_HEAD = 65_536
# Formatted once a second.
date_header = lru_cache(maxsize=1)(formatdate)
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class RunningServer:
    """A served world; also a context manager that stops it."""

    def __init__(self, world: World, host: str, port: int, latency: float, kommosync: str) -> None:
        self.world = world
        self.latency = latency
        self.stopped = threading.Event()
        self.app = Simulator(world, on_stop=lambda: threading.Timer(0.05, self.stop).start(), kommosync=kommosync)
        self._host = host
        self._listener = socket.create_server((host, port), backlog=BACKLOG)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="simulator", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Returns the address, without a slash at the end."""
        return f"http://{self._host}:{self.port}"

    @property
    def url_template(self) -> str:
        """Returns the URL of an account, with {subdomain} in it."""
        return self.url + "/{subdomain}"

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Closes the door and every connection; may be called twice."""
        self.stopped.set()
        # A shutdown wakes the accepting thread, a mere close would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._thread:
            self._thread.join(5)

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection, address[0]), daemon=True).start()

    def _serve(self, connection: socket.socket, ip: str) -> None:
        try:
            _Conversation(self, connection, ip).run()
        except AnswerLost:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        except OSError:
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()


class _Conversation:
    """The requests of one connection, one after the other."""

    def __init__(self, server: RunningServer, connection: socket.socket, ip: str) -> None:
        self.server = server
        self.connection = connection
        self.ip = ip
        self.buffer = b""

    def run(self) -> None:
        goes_on = True
        while goes_on:
            while b"\r\n\r\n" not in self.buffer:
                if len(self.buffer) > MAX_HEAD or not self._receive():
                    return
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            arrived = self.server.world.monotonic()
            environ, keep_alive = _parse(head, self.ip)
            environ["sim.arrived"] = arrived
            length = int(environ["CONTENT_LENGTH"])
            while len(self.buffer) < length:
                if not self._receive():
                    return
            environ["wsgi.input"] = io.BytesIO(self.buffer[:length])
            self.buffer = self.buffer[length:]
            goes_on = self._answer(environ, keep_alive) and keep_alive

    def _receive(self) -> bool:
        received = self.connection.recv(CHUNK)
        self.buffer += received
        return bool(received)

    def _answer(self, environ: dict[str, Any], keep_alive: bool) -> bool:
        """Sends the answer; returns whether the connection can go on after it."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            started.extend((status, headers))

        try:
            body = b"".join(self.server.app(environ, start_response))
        finally:
            if self.server.latency:
                time.sleep(self.server.latency)
        status, headers = started
        date = date_header(int(time.time()), usegmt=True)
        lines = [f"HTTP/1.1 {status}", f"Date: {date}", *(f"{name}: {value}" for name, value in headers)]
        if not keep_alive:
            lines.append("Connection: close")
        self.connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        declared = next((value for name, value in headers if name == "Content-Length"), "0")
        return int(declared) == len(body)


def serve(
    world: World, host: str = "127.0.0.1", port: int = 0, latency: float = 0.0, kommosync: str = ""
) -> RunningServer:
    """Serves a world in background threads; `latency` in seconds is added to every answer.

    `kommosync` is the address of the KommoSync that the page to play on has links to.
    """
    return RunningServer(world, host, port, latency, kommosync)


def _parse(head: bytes, ip: str) -> tuple[dict[str, Any], bool]:
    """Returns the WSGI environ of a request head, and whether the connection is to be kept."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    target, _, _ = rest.partition(" ")
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote(path) if "%" in path else path,
        "QUERY_STRING": query,
        "REMOTE_ADDR": ip,
        "CONTENT_LENGTH": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
    }
    for line in lines:
        name, _, value = line.partition(":")
        environ["HTTP_" + name.upper().replace("-", "_")] = value.strip()
    environ["CONTENT_LENGTH"] = environ.pop("HTTP_CONTENT_LENGTH", "0")
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    return environ, environ.get("HTTP_CONNECTION", "").lower() != "close"
