"""The simulator as one WSGI application: the way from environ to answer and back."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from http.client import responses
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from accounts.simulator import addressing, control
from accounts.simulator.handling import handle_request
from accounts.simulator.messages import SimRequest
from accounts.simulator.oauth import lookup
from accounts.simulator.play.app import PageRequest, Play
from accounts.simulator.world import World

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Reply = tuple[int, dict[str, str], bytes]


class AnswerLost(ConnectionResetError):
    """The fault "reset": the server drops the connection without a word."""


class Simulator:
    """WSGI: the account is named by the host (`north.anything`) or by the first part of the path (`/north/api/v4`).

    `on_stop` is called by POST /_sim/stop; `kommosync` is the address that the page to play on has links to.
    Raises AnswerLost where the connection is to be reset.
    """

    def __init__(self, world: World, *, on_stop: Callable[[], None] | None = None, kommosync: str = "") -> None:
        self.world = world
        self.on_stop = on_stop
        self.play = Play(world, kommosync)
        self._numbers = count(1)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body: bytes = environ["wsgi.input"].read(length) if length else b""
        if path.startswith("/_sim/"):
            method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
            answer = control.handle(self, method, path[6:], query, body)
        elif self.play.answers(path):
            answer = self.play.handle(PageRequest.of(environ, body))
        else:
            answer = handle_request(self.world, self._request(environ, path, body))
        if answer.lost:
            raise AnswerLost
        headers = [("X-Request-Id", f"{next(self._numbers):032x}"), *answer.headers]
        if answer.status != 204:
            length = len(answer.body) if answer.declared is None else answer.declared
            headers += [("Content-Type", answer.content_type), ("Content-Length", str(length))]
        start_response(f"{answer.status} {responses.get(answer.status, '')}", headers)
        return [answer.body]

    def _request(self, environ: dict[str, Any], path: str, body: bytes) -> SimRequest:
        world = self.world
        scheme, host = environ.get("wsgi.url_scheme", "http"), environ.get("HTTP_HOST", "")
        names = {addressing.WWW, world.api_label, *world.former}
        forwarded_for = environ.get("HTTP_X_FORWARDED_FOR", "").partition(",")[0].strip()
        at = environ.get("sim.arrived")
        request = SimRequest(
            method=environ["REQUEST_METHOD"],
            query=environ.get("QUERY_STRING", ""),
            body=body,
            authorization=environ.get("HTTP_AUTHORIZATION", ""),
            ip=forwarded_for or environ.get("REMOTE_ADDR", ""),
            subdomain="",
            address=addressing.parse(scheme, host, path, world.accounts, names),
            at=world.monotonic() if at is None else at,
            content_type=environ.get("CONTENT_TYPE") or environ.get("HTTP_CONTENT_TYPE", ""),
            refresh_token=environ.get("HTTP_X_REFRESH_TOKEN", ""),
        )
        return replace(request, subdomain=lookup.counted_for(world, request))


def call(
    app: Simulator,
    method: str,
    url: str,
    *,
    token: str = "",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> Reply:
    """Makes one request in process and returns status, headers and body; raises AnswerLost.

    `url` is a path or a whole URL.
    """
    parts = urlsplit(url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc or "sim",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": parts.scheme or "http",
    }
    if token:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    for name, value in (headers or {}).items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    started: list[Any] = []

    def start_response(status: str, fields: list[tuple[str, str]]) -> None:
        started.extend((int(status[:3]), dict(fields)))

    content = b"".join(app(environ, start_response))
    return started[0], started[1], content
