"""One connection: its deadlines, and the rest of a body that is not wanted."""

import contextlib
import math
import socket
import time
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, close_old_connections
from django.http import parse_cookie
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel

from accounts.uploads import cookies_may_upload
from syncing.web.request import ArrivingRequest, PipelinedRequest

if TYPE_CHECKING:
    from syncing.web.server import Server

ARRIVAL = 20.0  # seconds for the headers, and for a body on top of its bytes
SLOWEST = 4096.0  # bytes per second that a body has to bring
IDLE = 30.0  # seconds that a connection without a request is kept
STALLED = 60.0  # seconds without a byte taken by a client that is being answered
LINGER = 30.0  # seconds for which the rest of an unwanted body is thrown away, so that the client sees its answer


class ClientConnection(HTTPChannel):  # type: ignore[misc]
    """Receives requests in the main thread, answers them in others (waitress), and has a deadline at all times."""

    request: ArrivingRequest | None  # the one that is arriving
    requests: list[ArrivingRequest]  # those that are being answered, or wait for it
    last_activity: float
    is_checking = False  # whether a thread checks the sender of an upload; nothing more is received meanwhile
    is_refused = False  # whether the client may still be sending what nobody wants
    lingers_until = 0.0

    def __init__(self, server: "Server", sock: socket.socket, addr: Any, adj: Adjustments, map: Any = None) -> None:
        super().__init__(server, sock, addr, adj, map)
        self.began = self.last_activity  # when the request that is arriving began

    # -- receiving --

    def parser_class(self, adj: Adjustments) -> ArrivingRequest:
        """Returns the parser of the next bytes; one request at a time is read."""
        return (PipelinedRequest if self.requests else ArrivingRequest)(adj, memory=self.server.body_memory)

    def readable(self) -> bool:
        is_held = self.is_checking or isinstance(self.request, PipelinedRequest)
        return bool(self.lingers_until) or (not is_held and super().readable())

    def handle_read(self) -> None:
        if not self.lingers_until:
            super().handle_read()
            return
        try:
            self.recv(64 * 1024)
        except OSError:
            self.drop()

    def received(self, data: bytes) -> bool:
        if self.lingers_until:  # the rest of a refused body is no request, whatever it looks like
            return False
        before = self.request
        is_taken: bool = super().received(data)
        if self.request is not before:
            self.began = time.time()
        if self.request is not None and self.request.needs_check:
            self.request.is_checked = self.is_checking = True
            self.server.add_task(UploadCheck(self))
        self.server.make_room()
        return is_taken

    def resume(self, *, may_upload: bool) -> None:
        """Receives the rest of the upload, or refuses it."""
        with self.requests_lock:
            request = self.request  # None: the connection has gone meanwhile
            if request is not None and not may_upload:
                request.cut_off()
                self.requests.append(request)
                self.request = None
                if len(self.requests) == 1:  # else the thread that answers an earlier one goes on with it
                    self.server.add_task(self)
            self.is_checking = False
        self.server.pull_trigger()

    # -- ending --

    @property
    def is_login(self) -> bool:
        """Returns True when the request to be answered next brings a password."""
        return self.requests[0].is_login

    @property
    def is_answered(self) -> bool:
        """Returns True while an answer is being prepared or sent."""
        return bool(self.requests or self.total_outbufs_len or self.is_checking)

    @property
    def holds_body(self) -> bool:
        return self.request is not None and self.request.holds_memory

    @property
    def waits_since(self) -> float:
        return self.last_activity if self.request is None else self.began

    @property
    def deadline(self) -> float:
        """Returns the time when this connection has to go, whatever its client sends until then."""
        if self.lingers_until:
            return self.lingers_until
        if self.total_outbufs_len:
            return self.last_activity + STALLED
        if self.is_answered:
            return math.inf
        if self.request is None:
            return self.last_activity + IDLE
        return float(self.began + ARRIVAL + self.request.body_bytes_received / SLOWEST)

    def service(self) -> None:
        request = self.requests[0]
        self.is_refused = bool(request.error) or request.is_cut
        super().service()
        if isinstance(self.request, PipelinedRequest):
            self.server.trigger.pull_trigger(self._parse_pipelined)

    def _parse_pipelined(self) -> None:
        """Parses, in the main thread, the bytes that came while an earlier request was answered."""
        ahead, self.request = self.request, None
        if isinstance(ahead, PipelinedRequest):
            self.received(ahead.data)

    def handle_close(self) -> None:
        if self.is_refused and self.connected and not self.lingers_until:
            # Nothing more is sent, but the rest is read: closed at once, the connection would lose the answer.
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            self.lingers_until = time.time() + LINGER
            self.will_close = False
        else:
            self.drop()

    def drop(self) -> None:
        """Closes the connection now."""
        if self.request is not None:
            self.request.close()
            self.request = None
        super().handle_close()


class UploadCheck:
    """Checks in a thread whether the sender of an upload may upload; waitress calls this a task."""

    is_login = False

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def service(self) -> None:
        request = self._connection.request
        may_upload = False
        try:
            if request is not None:
                may_upload = cookies_may_upload(parse_cookie(request.headers.get("COOKIE", "")))
        except DatabaseError:
            pass  # the application says so, without the body
        finally:
            close_old_connections()
            self._connection.resume(may_upload=may_upload)

    def cancel(self) -> None:
        self._connection.cancel()
