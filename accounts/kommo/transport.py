"""Sends the requests of one account: each at its turn, one after another, counted; knows no token and no retry."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from accounts import __version__
from accounts.kommo.answers import Answer
from accounts.kommo.checked_connections import CheckedAdapter, SendCheck
from accounts.kommo.errors import RateLimited
from accounts.kommo.network import network_error
from accounts.kommo.pacing import Pacer
from accounts.kommo.stopping import Stopped

# A stable, descriptive agent: requests without one were grey-listed (docs/kommo.md 2).
USER_AGENT = f"KommoSync/{__version__} (configuration sync for Kommo; python-requests)"


class Exchange(NamedTuple):
    """One attempt, for whoever counts: `status` None when no answer came, `seconds` of the exchange alone."""

    method: str
    path: str
    status: int | None
    seconds: float


class KommoSession(requests.Session):
    """A session that follows no redirect; one connection is enough for one account."""

    def __init__(self, check: SendCheck) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, CheckedAdapter(check, pool_connections=1, pool_maxsize=2))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class Transport:
    """The way to one account, for its client and its token endpoint: address, session, pace, count.

    `base_url` is the account's address, host-based or with a path, without `/api/v4`; it may move. `timeout` is
    seconds to connect and to read; `requests` counts every attempt. Not for several threads at once.
    """

    def __init__(
        self,
        base_url: str,
        pacer: Pacer,
        *,
        account: str,
        session: requests.Session | None = None,
        timeout: tuple[float, float] = (5, 30),
        user_agent: str = USER_AGENT,
        on_request: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.account = account
        self.pacer = pacer
        self.timeout = timeout
        self.requests = 0
        self._session = session or KommoSession(pacer.stop.check_now)
        self._on_request = on_request
        self._answered = False
        self._common = {
            "User-Agent": user_agent,
            "Accept": "application/hal+json, application/json",
            "Accept-Encoding": "gzip",
        }
        self.move_to(base_url)

    def __repr__(self) -> str:
        return f"<Transport {self.account}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def move_to(self, base_url: str) -> None:
        """Sends to `base_url` from now on."""
        self.base_url = base_url.rstrip("/")
        # Proxies and CA bundle of the environment, looked up once: it costs more than the request itself.
        self._environment: Any = self._session.merge_environment_settings(self.base_url, {}, True, None, None)

    def headers(self, more: Mapping[str, str]) -> CaseInsensitiveDict[str]:
        """Returns the headers of every request, and `more`."""
        return CaseInsensitiveDict({**self._common, **more})

    def send(
        self, method: str, path: str, url: str, headers: CaseInsensitiveDict[str], data: bytes | None = None
    ) -> Answer:
        """Returns the answer to one request, sent at its turn. `path` is what errors and counts name it by.

        Raises Stopped, RateLimited (held longer than we wait) and NetworkError; any status is an answer.
        """
        request = requests.PreparedRequest()  # so that nothing is left to do between its turn and its leaving
        request.method, request.url, request.body = method, url, data
        request.hooks = {"response": []}
        request.headers = CaseInsensitiveDict(headers)
        if data is not None:
            request.headers["Content-Type"] = "application/json"
            request.headers["Content-Length"] = str(len(data))
        try:
            self.pacer.wait()
            self.pacer.stop.check_now()  # whoever slept since may have lost the right to send
            return self._exchange(method, path, request)
        except (Stopped, RateLimited) as error:
            error.account, error.method, error.path = self.account, method, path
            raise

    def _exchange(self, method: str, path: str, request: requests.PreparedRequest) -> Answer:
        """Sends it, now; counts it, whatever comes."""
        self.requests += 1
        started = time.perf_counter()
        status = None
        try:
            response = self._session.send(request, timeout=self.timeout, allow_redirects=False, **self._environment)
            with response:
                status = response.status_code
                try:
                    body = response.content
                except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
                    body = None  # it broke off: the status, known by then, says more than that
        except (requests.RequestException, HTTPError) as cause:
            raise network_error(cause, account=self.account, method=method, path=path) from cause
        finally:
            if self._on_request is not None:
                self._on_request(Exchange(method, path, status, time.perf_counter() - started))
        if not self._answered:
            self._answered = True
            self.pacer.note_answer()
        return Answer(self.account, method, path, status, response.headers, body)
