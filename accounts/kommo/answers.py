"""What one HTTP answer means: the decoded body, or the error that it is."""

import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from accounts.kommo.errors import (
    BadAnswer,
    Facts,
    FieldError,
    Forbidden,
    IpBlocked,
    ItemError,
    KommoError,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorised,
    Unpaid,
    Validation,
    gettext_noop,
)
from accounts.kommo.texts import storable
from accounts.kommo.token_claims import token_expiry

JsonObject = dict[str, Any]
SHOWN = 300  # characters of a foreign text that may enter an error
LOOKED_AT = 65_536  # bytes of a page that is no JSON
HIDDEN = "***"
# A router that has no such path, which is another thing than an API that has no such item.
NO_SUCH_PATH = re.compile(r"cannot (get|post|patch|put|delete)\b", re.IGNORECASE)
ITEM = re.compile(r"/(\w+_)?\d+(/|$)")
ALWAYS_THERE = ("/account", "/leads/pipelines", "/custom_fields", "/custom_fields/groups")
HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
REDIRECT_REMEDY = gettext_noop(
    "The account may have been renamed: if the address in the message is this account's, store its subdomain."
)


@dataclass(frozen=True)
class Answer:
    """One answer as it came; `body` None: it broke off on the way."""

    account: str
    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def is_write(self) -> bool:
        return self.method != "GET"

    def facts(self, **more: Any) -> Facts:
        facts = Facts(
            account=self.account,
            method=self.method,
            path=self.path,
            status=self.status,
            request_id=self.headers.get("X-Request-Id"),
        )
        facts.update(more)  # type: ignore[typeddict-item]
        return facts


def read(answer: Answer) -> JsonObject | None:
    """The object in a 2xx answer, None for 204 (an empty list, a done DELETE); raises BadAnswer for all else.

    A delete may answer 204 or 200 `{}` (docs/kommo.md 4); any other write says what it wrote.
    """
    if answer.method == "DELETE" and answer.status in (200, 202, 204):
        return None
    if answer.status == 204 and not answer.is_write:
        return None
    if answer.status not in (200, 201):
        raise _bad(answer, f"answered {answer.status} where 200 was expected")
    if answer.body is None:
        raise _bad(answer, "the answer broke off", retryable=True)
    if not answer.body.strip():
        raise _bad(answer, "the answer is empty", retryable=True)
    document = _json(answer.body)
    if document is None:
        raise _bad(answer, "the answer is not JSON, or not all of it", retryable=True)
    if not isinstance(document, dict):
        raise _bad(answer, f"the answer is a JSON {type(document).__name__}, not an object")
    return document


def error_of(answer: Answer, *secrets: str, now: Callable[[], float] = time.time) -> KommoError:
    """The error that an answer outside 2xx is; the secrets that were sent, the token first, are kept out of it."""
    token = secrets[0]
    document = _json(answer.body or b"")
    problem = document if isinstance(document, dict) else {}
    detail = _excerpt(_detail(answer, problem), secrets)
    status = answer.status
    if status < 400:
        return _redirect(answer, secrets)
    if status == 401:
        return Unauthorised(detail, **answer.facts(code=_token_code(problem, token, now())))
    if status == 402:
        return Unpaid(detail, **answer.facts())
    if status == 403:
        is_plain = answer.body == b"" or not _is_api(answer, document)
        return (IpBlocked if is_plain else Forbidden)(detail, **answer.facts())
    if status in (404, 410):
        return NotFound(detail, no_account=not _is_api(answer, document) or _is_bare(answer, detail), **answer.facts())
    if status == 429:
        return _rate_limited(answer, problem, detail, now())
    if status >= 500 or status == 408:
        return _server_error(answer, problem, detail, now())
    return Validation(detail, items=_items(problem, secrets), **answer.facts())


def problem_of(answer: Answer, *secrets: str) -> JsonObject:
    """The texts of a problem body, without the secrets that were sent; empty when it is none."""
    document = _json(answer.body or b"")
    if not isinstance(document, dict):
        return {}
    return {key: _excerpt(value, secrets) for key, value in document.items() if isinstance(value, str)}


def _redirect(answer: Answer, secrets: Sequence[str]) -> BadAnswer:
    """Of the address only the host is shown: what stands behind it may hold anything."""
    try:
        host = urlsplit(answer.headers.get("Location", "")).hostname or ""
    except ValueError:
        host = ""
    place = _excerpt(host, secrets) if HOST.fullmatch(host) else "another address"
    detail = f"redirects to {place} ({answer.status}), which is never followed"
    return BadAnswer(detail, **answer.facts(outcome_unknown=answer.is_write, remedy=REDIRECT_REMEDY))


def _is_bare(answer: Answer, detail: str) -> bool:
    """True when the address has not even this path of the API: the account is not here (any more).

    What every account has is never "not found", whatever the words.
    """
    if not answer.is_write and answer.path.endswith(ALWAYS_THERE):
        return True
    return NO_SUCH_PATH.match(detail) is not None and ITEM.search(answer.path) is None


def _bad(answer: Answer, detail: str, retryable: bool = False) -> BadAnswer:
    return BadAnswer(detail, **answer.facts(outcome_unknown=answer.is_write, retryable=retryable))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _is_api(answer: Answer, document: Any) -> bool:
    """True when the API spoke, not a web server before it: those answer plain text or HTML (docs/kommo.md 2).

    Some send a page under the type that the API has: what it is called does not make it JSON.
    """
    if isinstance(document, dict):
        return True
    is_page = (answer.body or b"").lstrip().startswith(b"<")
    return "json" in answer.headers.get("Content-Type", "").lower() and not is_page


def _token_code(problem: JsonObject, token: str, now: float) -> str:
    said = " ".join(str(problem.get(key, "")) for key in ("hint", "detail", "title")).lower()
    if "revoked" in said:
        return "token_revoked"
    expiry = token_expiry(token)
    return "token_expired" if expiry is not None and expiry <= now else "unauthorised"


def _rate_limited(answer: Answer, problem: JsonObject, detail: str, now: float) -> RateLimited:
    pause = _retry_after(answer, problem, now)
    if pause is None:
        return RateLimited(detail, **answer.facts())
    until = now + pause
    clock = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(until))
    said = f"{detail} (asks to wait {pause:.0f} s, until {clock})"
    return RateLimited(said, until=until, **answer.facts(retry_after=pause))


def _server_error(answer: Answer, problem: JsonObject, detail: str, now: float) -> ServerError:
    facts = answer.facts(outcome_unknown=answer.is_write, retry_after=_retry_after(answer, problem, now))
    trace = problem.get("trace_id")
    if facts.get("request_id") is None and isinstance(trace, str):
        facts["request_id"] = trace
    return ServerError(detail, **facts)


def _retry_after(answer: Answer, problem: JsonObject, now: float) -> float | None:
    """Seconds: the header, undocumented but usual, else the body's own (docs/kommo.md 2)."""
    header = answer.headers.get("Retry-After")
    for value in (header, problem.get("retry_after")):
        seconds = _seconds(value, now)
        if seconds is not None:
            return seconds
    return None


def _seconds(value: Any, now: float) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = _until_date(str(value), now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until_date(text: str, now: float) -> float:
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return math.nan


def _detail(answer: Answer, problem: JsonObject) -> str:
    for key in ("detail", "title", "hint"):
        if isinstance(problem.get(key), str) and problem[key].strip():
            return str(problem[key]).strip()
    page = (answer.body or b"")[:LOOKED_AT].decode("utf-8", "replace")
    text = re.sub(r"<head\b.*?</head>|<[^>]*>", " ", page, flags=re.DOTALL | re.IGNORECASE)  # the title says it twice
    return " ".join(text.split())


def _excerpt(text: str, secrets: Sequence[str]) -> str:
    """Returns the beginning of a foreign text; secrets are hidden before it is cut, as a part of one is one, too."""
    for secret in filter(None, secrets):
        text = text.replace(secret, HIDDEN)
    return storable(text)[:SHOWN]


def _items(problem: JsonObject, secrets: Sequence[str]) -> tuple[ItemError, ...]:
    entries = problem.get("validation-errors")
    if not isinstance(entries, list):
        return ()
    items = []
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        name, errors = entry.get("request_id"), entry.get("errors")
        field_errors = (error for error in (errors if isinstance(errors, list) else ()) if isinstance(error, dict))
        items.append(
            ItemError(
                request_id=None if name is None else str(name),
                errors=tuple(
                    FieldError(*(_excerpt(str(error.get(key) or ""), secrets) for key in ("code", "path", "detail")))
                    for error in field_errors
                ),
            )
        )
    return tuple(items)
