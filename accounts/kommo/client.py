"""The client of one Kommo account: knows HTTP, authorisation, pace and retries; knows no resource."""

import json
import random as _random
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

from requests.structures import CaseInsensitiveDict

from accounts.kommo.answer_shapes import account_ids
from accounts.kommo.answers import JsonObject, read
from accounts.kommo.error_answers import error_of
from accounts.kommo.errors import BadAnswer, KommoError, ReadOnly, Unauthorised, gettext_noop, no_account_answers
from accounts.kommo.failure_counter import FailureCounter
from accounts.kommo.identity import Identity, WrongAccount, claimed_account
from accounts.kommo.pages import Params, read_pages
from accounts.kommo.plain_403 import Plain403Check
from accounts.kommo.retry import Policy, Repeats
from accounts.kommo.tokens import NewAddress, TokenSource, fit_for_header
from accounts.kommo.transport import Transport

# Tells whether a write may go out: method, path, body (of a DELETE: None).
Gate = Callable[[str, str, object], bool]

PAGE_SIZE = 250  # Kommo's largest page (docs/kommo.md 2)
DEFAULT_POLICY = Policy()
UNFIT_TOKEN = gettext_noop("the stored token has characters that no token has")
NO_TOKEN = gettext_noop("no token is stored")
FOREIGN_TOKEN = gettext_noop("%(said)s (the token belongs to Kommo account %(claimed)s, this is %(expected)s)")


class KommoClient:
    """Requests to one account, one after another (not for several threads at once).

    `transport` is the account's, and closed with the client; `read_only` refuses every write before anything is
    sent, a `gate` those that it says no to. `requests` counts every attempt, `account_ids` collects whose account
    answered; `account_id` is whose it should be, if known, `others` are ids that it cannot have: with another one it
    raises WrongAccount, at the first answer that is read. `locate` is asked once when no account answers at the
    address, or its token is refused there, for the one where the account is now (None: unknown). `plain_403_check` says
    what a plain 403 means (None: a blocked IP), `failures` keeps count of what the server fails at. All methods raise
    KommoError.
    """

    def __init__(
        self,
        transport: Transport,
        tokens: TokenSource,
        *,
        policy: Policy = DEFAULT_POLICY,
        account_id: int | None = None,
        others: frozenset[int] = frozenset(),
        read_only: bool = False,
        gate: Gate | None = None,
        sleep: Callable[[float], None] | None = None,
        random: Callable[[], float] = _random.random,
        locate: Callable[[], NewAddress | None] | None = None,
        plain_403_check: Plain403Check | None = None,
        failures: FailureCounter | None = None,
    ) -> None:
        self.account = transport.account
        self.account_id = account_id
        self._identity = Identity(transport.account, account_id, others)
        self.read_only = read_only
        self._gate = gate
        self.account_ids: frozenset[int] = frozenset()
        self._transport = transport
        self._tokens = tokens
        self._sleep = sleep or transport.pacer.pause
        self._repeats = Repeats(transport.pacer, policy, self._sleep, random, failures)
        self._locate = locate
        self._plain_403_check = plain_403_check
        self._headers: tuple[str, CaseInsensitiveDict[str]] = ("", CaseInsensitiveDict())

    def __repr__(self) -> str:
        return f"<KommoClient {self.account}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def requests(self) -> int:
        return self._transport.requests

    @property
    def failing(self) -> int:
        """Requests that the server failed at, those of earlier attempts at this run included."""
        return self._repeats.failures.failing

    def close(self) -> None:
        self._transport.close()

    def pause(self, seconds: float) -> None:
        """Waits before the next request; raises Stopped at once when everything is stopped meanwhile."""
        self._sleep(seconds)

    def seconds(self) -> float:
        """Returns the time on the clock of this client; only differences mean anything."""
        return self._transport.pacer.now()

    # -- verbs --

    def get(self, path: str, params: Params | None = None) -> JsonObject | None:
        """Returns the object at `path`; None when Kommo has nothing there (204)."""
        return self._request("GET", path, params=params)

    def get_all(
        self, path: str, key: str, params: Params | None = None, page_size: int | None = PAGE_SIZE
    ) -> list[JsonObject]:
        """Returns every item of the list under `_embedded.{key}`, over all pages; [] when Kommo has none (204).

        `page_size` None for lists without pages (pipelines). Raises BadAnswer unless all pages came and add up:
        an incomplete list must never look like a short one.
        """
        query = {**(params or {}), **({} if page_size is None else {"limit": page_size})}
        pages = read_pages(lambda each: self.get(path, each), key, query, account=self.account, path=path)
        return [item for page in pages for item in page]

    def post(self, path: str, items: list[JsonObject]) -> JsonObject:
        """Creates `items`; returns Kommo's answer. Repeated only when it surely did not happen."""
        return self._write("POST", path, items)

    def patch(self, path: str, body: JsonObject | list[JsonObject]) -> JsonObject:
        """Changes one item (an object) or several (a list); returns Kommo's answer.

        Repeated while that is harmless; what sets options or descriptions only when it surely did not happen.
        """
        return self._write("PATCH", path, body)

    def delete(self, path: str) -> None:
        """Deletes the item at `path`; NotFound after a lost answer may mean that it is done."""
        self._check_write("DELETE", path)
        self._request("DELETE", path)

    # -- one request with its repeats --

    def _write(self, method: str, path: str, body: JsonObject | list[JsonObject]) -> JsonObject:
        self._identity.check(self.account_ids)
        self._check_write(method, path, body)
        answer = self._request(method, path, body=body)
        if answer is None:  # read() lets nothing but an object pass here
            raise BadAnswer(
                gettext_noop("the answer is empty"),
                account=self.account,
                method=method,
                path=path,
                outcome_unknown=True,
            )
        return answer

    def _check_write(self, method: str, path: str, body: object = None) -> None:
        if self.read_only:
            raise ReadOnly(f"{self.account}: {method} {path} on a read-only client")
        if self._gate is not None and not self._gate(method, path, body):
            raise ReadOnly(f"{self.account}: {method} {path} is not among what was approved")

    def _request(
        self, method: str, path: str, *, params: Params | None = None, body: object = None
    ) -> JsonObject | None:
        query = "?" + urlencode(params, doseq=True) if params else ""
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        attempt, renewed, unknown = 1, False, False
        while True:
            token = ""
            try:
                token = self._tokens.current()
                answer = self._attempt(method, path, query, data, token)
            except KommoError as raised:
                error = self._plain_403_check.diagnose(raised, token) if self._plain_403_check else raised
                # An earlier attempt may have been applied, whatever the last one says.
                unknown = error.outcome_unknown = unknown or error.outcome_unknown
                if self._recover(error, token, renewed):
                    renewed = renewed or isinstance(error, Unauthorised)
                    continue
                self._repeats.prepare(error, method, attempt, body)
                attempt += 1
            else:
                self._repeats.failures.note_success(method)
                return answer

    def _attempt(self, method: str, path: str, query: str, data: bytes | None, token: str) -> JsonObject | None:
        if not fit_for_header(token):  # requests would quote it, whole, in its error
            detail = UNFIT_TOKEN if token else NO_TOKEN
            raise Unauthorised(detail, account=self.account, method=method, path=path)
        if self._headers[0] != token:
            self._headers = (token, self._transport.headers({"Authorization": f"Bearer {token}"}))
        url = f"{self._transport.base_url}/api/v4{quote(path, safe='/')}{query}"
        answer = self._transport.send(method, path, url, self._headers[1], data)
        if not 200 <= answer.status < 300:
            raise error_of(answer, token)
        document = read(answer)
        if document is not None:
            self.account_ids |= account_ids(document)
            if method == "GET":  # of a write's answer the outcome is stored first; the next write is refused
                self._identity.check(self.account_ids)
        return document

    def _recover(self, error: KommoError, token: str, renewed: bool) -> bool:
        """Gets another token, or moves to the account's new address; True when the request is worth one repeat.

        With an unfit `token` nothing was sent; one that was `renewed` for this request is not renewed again.
        """
        if not fit_for_header(token):
            return False
        try:
            if isinstance(error, Unauthorised) and not renewed and self._tokens.renew_after_refusal(token):
                return True
            if error.code != Unauthorised.code:
                return no_account_answers(error) and self._move()
            claimed = claimed_account(token)
            if self.account_id is None or claimed in (None, self.account_id):
                # Somebody is there who does not know a token that was good for this account before.
                return self.account_id is not None and self._move()
        except KommoError as failure:
            failure.outcome_unknown = error.outcome_unknown  # of the request itself: a renewal writes nothing
            raise
        # A refused token that names another account (unverified: docs/kommo.md 1.4) is a wrong one, not an old one.
        error.code, error.remedy = WrongAccount.code, WrongAccount.remedy_of_token
        facts = {"said": error.detail, "claimed": claimed, "expected": self.account_id}
        error.detail = FOREIGN_TOKEN % facts
        return False

    def _move(self) -> bool:
        """Moves to where the account is now, if somebody knows, and it is really the one that lives there."""
        locate, self._locate = self._locate, None
        found = locate() if locate is not None else None
        if found is None:
            return False
        before = self._transport.base_url
        self._transport.move_to(found.address)
        about = self.get("/account") or {}
        try:
            self._identity.check({about.get("id")})
        except WrongAccount:
            self._transport.move_to(before)
            raise
        found.remember()
        return True
