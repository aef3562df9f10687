"""The client of one Kommo account: knows HTTP, authorisation, pace and retries; knows no resource."""

import json
import logging
import random as _random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from accounts import __version__
from accounts.kommo.answers import Answer, JsonObject, error_of, read
from accounts.kommo.errors import (
    BadAnswer,
    Halted,
    IpBlocked,
    KommoError,
    RateLimited,
    ReadOnly,
    Unauthorised,
)
from accounts.kommo.network import network_error
from accounts.kommo.pacing import Pacer
from accounts.kommo.pages import Listing, Params
from accounts.kommo.quirks import account_ids, jwt_claims
from accounts.kommo.retry import Policy, decide
from accounts.kommo.tokens import TokenSource

logger = logging.getLogger(__name__)

# A stable, descriptive agent: requests without one were grey-listed (kommo-api.md section 2).
USER_AGENT = f"KommoSync/{__version__} (configuration sync for Kommo; python-requests)"
PAGE_SIZE = 250  # Kommo's largest page (kommo-api.md section 2)
DEFAULT_POLICY = Policy()


class Exchange(NamedTuple):
    """One attempt, for whoever counts: `status` None when no answer came, `seconds` of the exchange alone."""

    method: str
    path: str
    status: int | None
    seconds: float


class KommoSession(requests.Session):
    """A session that looks at no redirect; one connection is enough for one account."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=2))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class KommoClient:
    """Requests to one account, one after another (not for several threads at once).

    `base_url` is the account's address without `/api/v4`, host-based or with a path; `timeout` is seconds to
    connect and to read; `read_only` refuses every write before anything is sent. `requests` counts every
    attempt, `account_ids` collects whose account answered; `account_id` is whose it should be, if known. All
    methods raise KommoError.
    """

    def __init__(
        self,
        base_url: str,
        tokens: TokenSource,
        pacer: Pacer,
        *,
        account: str,
        session: requests.Session | None = None,
        timeout: tuple[float, float] = (5, 30),
        policy: Policy = DEFAULT_POLICY,
        account_id: int | None = None,
        read_only: bool = False,
        user_agent: str = USER_AGENT,
        sleep: Callable[[float], None] | None = None,
        random: Callable[[], float] = _random.random,
        on_request: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.account = account
        self.account_id = account_id
        self.read_only = read_only
        self.requests = 0
        self.account_ids: frozenset[int] = frozenset()
        self._base = base_url.rstrip("/") + "/api/v4"
        self._tokens = tokens
        self._pacer = pacer
        self._session = session or KommoSession()
        self._timeout = timeout
        self._policy = policy
        self._user_agent = user_agent
        self._sleep = sleep or pacer.pause
        self._random = random
        self._on_request = on_request
        self._answered = False
        self._headers: tuple[str, CaseInsensitiveDict[str]] = ("", CaseInsensitiveDict())
        # Proxies and CA bundle of the environment, looked up once: it costs more than the request itself.
        self._transport: Any = self._session.merge_environment_settings(self._base, {}, True, None, None)

    def __repr__(self) -> str:
        return f"<KommoClient {self.account}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def pause(self, seconds: float) -> None:
        """Waits before the next request; raises Halted at once when everything is stopped meanwhile."""
        self._sleep(seconds)

    # -- verbs --

    def get(self, path: str, params: Params | None = None) -> JsonObject | None:
        """The object at `path`; None when Kommo has nothing there (204)."""
        return self._request("GET", path, params=params)

    def get_all(
        self, path: str, key: str, params: Params | None = None, page_size: int | None = PAGE_SIZE
    ) -> list[JsonObject]:
        """Every item of the list under `_embedded.{key}`, over all pages; [] when Kommo has none (204).

        `page_size` None for lists without pages (pipelines). Raises BadAnswer unless all pages came and add up:
        an incomplete list must never look like a short one.
        """
        listing = Listing(key, account=self.account, path=path)
        query: Params | None = {**(params or {}), **({} if page_size is None else {"limit": page_size})}
        while query is not None:
            query = listing.add(self.get(path, query), query)
        return listing.items

    def post(self, path: str, items: list[JsonObject]) -> JsonObject:
        """Creates `items`; gives Kommo's answer. Repeated only when it surely did not happen."""
        return self._write("POST", path, items)

    def patch(self, path: str, body: JsonObject | list[JsonObject]) -> JsonObject:
        """Changes one item (an object) or several (a list); gives Kommo's answer."""
        return self._write("PATCH", path, body)

    def delete(self, path: str) -> None:
        """Deletes the item at `path`; NotFound after a lost answer may mean that it is done."""
        self._request("DELETE", path)

    # -- one request with its repeats --

    def _write(self, method: str, path: str, body: JsonObject | list[JsonObject]) -> JsonObject:
        answer = self._request(method, path, body=body)
        if answer is None:  # read() lets nothing but an object pass here
            raise BadAnswer("no object", account=self.account, method=method, path=path, outcome_unknown=True)
        return answer

    def _request(
        self, method: str, path: str, *, params: Params | None = None, body: object = None
    ) -> JsonObject | None:
        if self.read_only and method != "GET":
            raise ReadOnly(f"{self.account}: {method} {path} on a read-only client")
        url = self._base + quote(path, safe="/") + ("?" + urlencode(params, doseq=True) if params else "")
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        attempt, renewed, unknown = 1, False, False
        while True:
            token = self._token(method, path)
            try:
                return self._attempt(method, path, self._prepare(method, url, data, token), token)
            except KommoError as error:
                # An earlier attempt may have been applied, whatever the last one says.
                unknown = error.outcome_unknown = unknown or error.outcome_unknown
                if isinstance(error, Unauthorised) and not renewed and self._tokens.refused(token):
                    renewed = True
                    continue
                self._name_stranger(error, token)
                self._before_repeat(error, method, attempt)
                attempt += 1

    def _token(self, method: str, path: str) -> str:
        """The token, fit for a header: requests would quote an unfit one, whole, in its error."""
        token = self._tokens.current()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            what = "the stored token has characters that no token has" if token else "no token is stored"
            raise Unauthorised(what, account=self.account, method=method, path=path)
        return token

    def _name_stranger(self, error: KommoError, token: str) -> None:
        """A refused token that names another account (unverified, section 1.4) is the wrong one, not an old one."""
        claimed = jwt_claims(token).get("account_id")
        if error.code != Unauthorised.code or self.account_id is None or not isinstance(claimed, int):
            return
        if claimed != self.account_id:
            error.code = "wrong_account"
            error.remedy = f"The token is of Kommo account {claimed}, this is {self.account_id}: store its own token."

    def _before_repeat(self, error: KommoError, method: str, attempt: int) -> None:
        """Waits until the request may be repeated; raises `error` when it may not."""
        if isinstance(error, IpBlocked):
            self._pacer.stop.set_all(error.code)
        wait = decide(method, error, attempt, self._policy, self._random)
        if isinstance(error, RateLimited):
            if error.status is None:  # the pacer's own: it has decided not to wait
                raise error
            self._pacer.hold(max(error.retry_after or 0.0, wait or 0.0))
        if wait is None:
            raise error
        logger.info("%s; attempt %d, again in %.1f s", error, attempt, wait)
        try:
            self._sleep(wait)
        except Halted as halted:
            halted.account, halted.method, halted.path = self.account, error.method, error.path
            halted.outcome_unknown = error.outcome_unknown
            raise

    # -- one attempt --

    def _attempt(self, method: str, path: str, request: requests.PreparedRequest, token: str) -> JsonObject | None:
        try:
            self._pacer.wait()
        except (Halted, RateLimited) as error:
            error.account, error.method, error.path = self.account, method, path
            raise
        answer = self._exchange(method, path, request)
        if not 200 <= answer.status < 300:
            raise error_of(answer, token)
        document = read(answer)
        if document is not None:
            self.account_ids |= account_ids(document)
        return document

    def _exchange(self, method: str, path: str, request: requests.PreparedRequest) -> Answer:
        """Sends it, now; counts it, whatever comes."""
        self.requests += 1
        started = time.perf_counter()
        status = None
        try:
            response = self._session.send(request, timeout=self._timeout, allow_redirects=False, **self._transport)
            status = response.status_code
            body = _body(response)
        except (requests.RequestException, HTTPError) as cause:
            raise network_error(cause, account=self.account, method=method, path=path) from cause
        finally:
            if self._on_request is not None:
                self._on_request(Exchange(method, path, status, time.perf_counter() - started))
        if not self._answered:
            self._answered = True
            self._pacer.arrived()
        return Answer(self.account, method, path, status, response.headers, body)

    def _prepare(self, method: str, url: str, data: bytes | None, token: str) -> requests.PreparedRequest:
        """The request, ready to go, so that nothing is left to do between its turn and its leaving."""
        request = requests.PreparedRequest()
        request.method, request.url, request.body = method, url, data
        request.hooks = {"response": []}
        headers = self._headers_for(token)
        if data is not None:
            headers = headers.copy()
            headers["Content-Type"] = "application/json"
            headers["Content-Length"] = str(len(data))
        request.headers = headers
        return request

    def _headers_for(self, token: str) -> CaseInsensitiveDict[str]:
        if self._headers[0] != token:
            headers = {
                "Authorization": f"Bearer {token}",
                "User-Agent": self._user_agent,
                "Accept": "application/hal+json, application/json",
                "Accept-Encoding": "gzip",
            }
            self._headers = (token, CaseInsensitiveDict(headers))
        return self._headers[1]


def _body(response: requests.Response) -> bytes | None:
    """The whole body; None when it broke off, since the status, known by then, says more than that."""
    try:
        return response.content
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        return None
    finally:
        response.close()
