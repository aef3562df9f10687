"""A monitor on loopback, which notes what it is told and answers as a test wants."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Sink(ThreadingHTTPServer):
    """`told` holds (method, path, body); it answers with `status`, and not before `answers` is set.

    When it `drips`, bytes of no meaning come until then.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: list[tuple[str, str, str]] = []
        self.status = 200
        self.answers = threading.Event()
        self.answers.set()
        self.drips = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ping/5ecret-uuid"


class _Handler(BaseHTTPRequestHandler):
    server: Sink

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.told.append((self.command, self.path, body))
        while self.server.drips and not self.server.answers.wait(0.01):
            self.wfile.write(b"H")
        self.server.answers.wait(30)
        self.send_response(self.server.status)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing on stderr."""


@contextmanager
def listening() -> Iterator[Sink]:
    with Sink() as sink:
        thread = threading.Thread(target=sink.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield sink
        finally:
            sink.answers.set()
            sink.shutdown()
            thread.join()
