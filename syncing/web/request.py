"""One request as it arrives: its body stays in memory, within the limit of its path."""

import io
import threading

from django.urls import reverse
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest

from syncing.web.bodies import ANONYMOUS_LIMIT, BodyRule, rule_for

OVERHEAD_FROM = 8 * 1024  # bytes of a chunked body from which on four fifths have to be content


class BodyMemory:
    """Counts the bytes of all bodies in memory; threads end requests while the main one receives others."""

    def __init__(self) -> None:
        self.used = 0
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Adds `count` bytes; a negative number gives them back."""
        with self._lock:
            self.used += count


class Body:
    """A body in memory: on a disk, where waitress puts larger ones, tokens of an import would lie in clear."""

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self._file = io.BytesIO()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, data: bytes) -> None:
        self._file.write(data)
        self._size += len(data)
        self._memory.take(len(data))

    def getfile(self) -> io.BytesIO:
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        size, self._size = self._size, 0  # it may be closed twice
        self._memory.take(-size)
        self._file.close()


class DiscardedBody:
    """The body of a webhook: counted, thrown away, and empty for whoever reads it."""

    def __init__(self) -> None:
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, data: bytes) -> None:
        self._size += len(data)

    def getfile(self) -> io.BytesIO:
        return io.BytesIO()

    def close(self) -> None:
        pass


class CutBody(io.RawIOBase):
    """The rest of a body that was not taken: reading it is an error, so that it never looks empty."""

    def read(self, size: int = -1) -> bytes:
        raise OSError("this body was larger than its limit and was not received")

    def readline(self, size: int | None = -1) -> bytes:
        return self.read()


class ArrivingRequest(HTTPRequestParser):  # type: ignore[misc]
    """Reads headers and body; a body over its limit is cut off, and the application told at once."""

    command = path = ""  # until the first line has come
    rule: BodyRule | None = None  # None: there is no body
    completed: bool
    body_bytes_received: int
    is_cut = False
    is_checked = False  # whether its sender was checked

    def __init__(self, adj: Adjustments, *, memory: BodyMemory) -> None:
        super().__init__(adj)
        self._memory = memory

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # of Python itself: "http://[", or a length of 5,000 digits
            raise ParsingError("the request cannot be read") from error
        if self.body_rcv is None:
            return
        self.rule = rule_for(self.path)
        self.body_rcv.buf = Body(self._memory) if self.rule.is_read else DiscardedBody()
        if self.content_length > self.rule.limit:
            self.cut_off()

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self.rule and not self.completed:
            if self.body_bytes_received > self.rule.limit:
                self.cut_off()
            # Tiny chunks: each costs the main loop as much as a whole piece.
            elif self.body_bytes_received > OVERHEAD_FROM and len(self.body_rcv) < self.body_bytes_received * 4 // 5:
                self.error = BadRequest("chunks this small are not accepted")
                self.completed = True
        return consumed

    @property
    def is_login(self) -> bool:
        return self.command == "POST" and self.path == reverse("admin:login")

    @property
    def needs_check(self) -> bool:
        """Returns True for an upload that may take memory only if its sender may upload."""
        is_upload = self.rule is not None and self.rule.is_upload and not self.completed
        return is_upload and not self.is_checked and (self.chunked or self.content_length > ANONYMOUS_LIMIT)

    @property
    def holds_memory(self) -> bool:
        return self.rule is not None and self.rule.is_read

    def cut_off(self) -> None:
        """Ends the request here; the connection is closed after the answer."""
        self.body_rcv.getbuf().close()
        self.is_cut = self.completed = True
        self.expect_continue = False
        self.headers["CONNECTION"] = "close"
        self.headers["CONTENT_LENGTH"] = str(max(self.content_length, self.body_bytes_received))

    def get_body_stream(self) -> io.IOBase:
        if self.is_cut and self.rule and self.rule.is_read:
            return CutBody()
        stream: io.IOBase = super().get_body_stream()
        return stream


class PipelinedRequest(ArrivingRequest):
    """The bytes that a client sends before it has its answer: stored, and parsed when their turn comes."""

    def __init__(self, adj: Adjustments, *, memory: BodyMemory) -> None:
        super().__init__(adj, memory=memory)
        self.data = b""

    def received(self, data: bytes) -> int:
        self.data += data
        return len(data)
