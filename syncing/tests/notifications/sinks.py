"""Servers on loopback that take what channels are sent: HTTP and SMTP, well or badly behaved."""

import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Taken:
    """One request that a sink got."""

    path: str
    host: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpSink:
    """Answers every POST with `status`; `manner`: "", "hang" (no answer) or "drip" (one byte of it at a time)."""

    port: int = 0
    status: int = 200
    body: bytes = b"ok"
    manner: str = ""
    location: str = ""
    taken: list[Taken] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    sink: HttpSink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sink = self.sink
        sink.taken.append(Taken(self.path, self.headers["Host"], dict(self.headers), body))
        if sink.manner == "hang":
            sink.over.wait(60)
            return
        self.send_response(sink.status)
        if sink.location:
            self.send_header("Location", sink.location)
        self.send_header("Content-Length", "1000" if sink.manner == "drip" else str(len(sink.body)))
        self.end_headers()
        if sink.manner == "drip":
            while not sink.over.wait(0.5):
                try:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                except OSError:
                    return
            return
        self.wfile.write(sink.body)

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def http_sink(host: str = "127.0.0.1", **manners: Any) -> Iterator[HttpSink]:
    """Serves at a port of loopback; with another `host` ("": all) there, too."""
    sink = HttpSink(**manners)
    server = ThreadingHTTPServer((host, 0), type("Handler", (_Handler,), {"sink": sink}))
    server.daemon_threads = True
    sink.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield sink
    finally:
        sink.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def dead_port() -> Iterator[int]:
    """A port that nobody listens at, kept from others."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@dataclass
class SmtpSink:
    """A mail server without TLS; `answers` replaces its answer to a command, as {"RCPT": "550 no"}."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    manner: str = ""
    mails: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


class _Smtp(socketserver.StreamRequestHandler):
    sink: SmtpSink

    def handle(self) -> None:
        if self.sink.manner == "hang":
            time.sleep(3)
            return
        self._say("220 sink")
        while line := self.rfile.readline().decode().strip():
            word = line[:4].upper()
            if word == "RCPT":
                self.sink.recipients.append(line[8:].strip("<> "))
            self._say(self.sink.answers.get(word) or {"DATA": "354 go on", "QUIT": "221 bye"}.get(word, "250 ok"))
            if word == "DATA" and "DATA" not in self.sink.answers:
                self.sink.mails.append(self._mail())
                self._say("250 taken")
            if word == "QUIT":
                return

    def _mail(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _SmtpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def smtp_sink(**manners: Any) -> Iterator[SmtpSink]:
    sink = SmtpSink(**manners)
    server = _SmtpServer(("127.0.0.1", 0), type("Handler", (_Smtp,), {"sink": sink}))
    sink.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
