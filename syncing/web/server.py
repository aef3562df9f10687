"""The server: one main loop that receives and sends, a few threads that answer, room for so many connections."""

import resource
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from syncing.web.connection import ClientConnection, UploadCheck
from syncing.web.request import BodyMemory

THREADS = 8
LOGIN_THREADS = 2  # besides
CONNECTIONS = 500  # at most; fewer where the system allows fewer open files
ACCEPTED = 64  # at most, in one round of the loop
OTHER_FILES = 100  # open files that are no connections
HEADERS = 32 * 1024  # bytes of one request
BODIES = 32 * 1024 * 1024  # bytes of all bodies in memory at a time
GRACE = 5.0  # seconds that a stopping server gives the requests in hand

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Server(TcpWSGIServer):  # type: ignore[misc]
    """Closes the connection that has waited longest when room runs out: no crowd of slow clients locks others out."""

    channel_class = ClientConnection
    accepting: bool

    def __init__(self, application: WSGI, listener: socket.socket, *, connections: int, bodies: int = BODIES) -> None:
        self.body_memory = BodyMemory()
        self.connections = connections
        self.bodies = bodies
        self._stops_at: float | None = None
        adj = Adjustments(
            threads=THREADS,
            ident="KommoSync",
            max_request_header_size=HEADERS,
            max_request_body_size=1 << 50,  # the limit depends on the path: see Request
            connection_limit=1 << 20,  # see handle_accept
            cleanup_interval=1,
            log_socket_errors=False,
            clear_untrusted_proxy_headers=False,  # Django reads X-Forwarded-Proto if HTTPS_ONLY says so
        )
        dispatcher, self.login_dispatcher = ThreadedTaskDispatcher(), ThreadedTaskDispatcher()
        dispatcher.set_thread_count(THREADS)
        self.login_dispatcher.set_thread_count(LOGIN_THREADS)
        super().__init__(
            application,
            {},
            _sock=listener,
            dispatcher=dispatcher,
            adj=adj,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )

    # -- room --

    def handle_accept(self) -> None:
        """Accepts several waiting connections at once: between two rounds, everybody else is served."""
        for _ in range(ACCEPTED):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                break
            if before >= self.connections:
                self._drop_oldest()

    def make_room(self) -> None:
        """Drops a connection when the bodies take too much memory; called whenever bytes have come."""
        if self.body_memory.used > self.bodies:
            self._drop_oldest(with_body=True)

    def _drop_oldest(self, *, with_body: bool = False) -> None:
        waiting = [
            channel
            for channel in self.active_channels.values()
            if not channel.is_answered and (not with_body or channel.holds_body)
        ]
        if waiting:
            min(waiting, key=lambda channel: channel.waits_since).drop()

    def maintenance(self, now: float) -> None:
        """Ends what is overdue at once: waitress would wait until a client takes what is left for it."""
        for channel in list(self.active_channels.values()):
            if channel.deadline < now:
                channel.drop()

    # -- running --

    def add_task(self, task: ClientConnection | UploadCheck) -> None:
        """Queues a task for a thread. Logins wait for each other only, as checking a password takes 0.3 s."""
        (self.login_dispatcher if task.is_login else self.task_dispatcher).add_task(task)

    def run(self) -> None:
        """Answers until `stop`, then ends what is in hand."""
        while self._stops_at is None or (self.is_busy and time.monotonic() < self._stops_at):
            wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
            if self._stops_at is not None and self.accepting:
                wasyncore.dispatcher.close(self)
                self.accepting = False
        for dispatcher in (self.task_dispatcher, self.login_dispatcher):
            dispatcher.shutdown(timeout=1)
        for channel in list(self.active_channels.values()):
            channel.drop()

    def stop(self) -> None:
        """Stops the server; may be called from a signal handler or another thread."""
        self._stops_at = time.monotonic() + GRACE
        self.pull_trigger()

    @property
    def is_busy(self) -> bool:
        return any(channel.is_answered for channel in self.active_channels.values())


def connection_limit() -> int:
    """Returns the number of connections that the limit of open files leaves room for."""
    allowed, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(50, min(CONNECTIONS, allowed - OTHER_FILES)) if allowed > 0 else CONNECTIONS


def listen(host: str, port: int) -> socket.socket:
    """Returns a bound socket; raises OSError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
