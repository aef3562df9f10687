"""Makes the error of an answer that is none of 2xx."""

import math
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from accounts.kommo.answers import Answer, JsonObject
from accounts.kommo.errors import (
    BadAnswer,
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
from accounts.kommo.texts import excerpt
from accounts.kommo.token_claims import token_expiry

LONGEST_PAGE = 65_536  # bytes of a page that is no JSON, of which the text is taken
# A router that has no such path, which is another thing than an API that has no such item.
NO_SUCH_PATH = re.compile(r"cannot (get|post|patch|put|delete)\b", re.IGNORECASE)
ITEM = re.compile(r"/(\w+_)?\d+(/|$)")
ALWAYS_THERE = ("/account", "/leads/pipelines", "/custom_fields", "/custom_fields/groups")
HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
REDIRECT_REMEDY = gettext_noop(
    "The account may have been renamed: if the address in the message is this account's, store its subdomain."
)


def error_of(answer: Answer, *secrets: str, now: Callable[[], float] = time.time) -> KommoError:
    """Returns the error that the answer is; the secrets that were sent, the token first, are kept out of it."""
    status, problem = answer.status, answer.problem
    detail = _detail(answer, problem, secrets)
    if status < 400:
        return BadAnswer(detail, **answer.facts(outcome_unknown=answer.is_write, remedy=REDIRECT_REMEDY))
    if status == 401:
        reasons = " ".join(str(problem.get(key, "")) for key in ("hint", "detail", "title")).lower()
        expiry = token_expiry(secrets[0])
        dead = "token_expired" if expiry is not None and expiry <= now() else "unauthorised"
        return Unauthorised(detail, **answer.facts(code="token_revoked" if "revoked" in reasons else dead))
    if status == 402:
        return Unpaid(detail, **answer.facts())
    if status == 403:
        is_plain = answer.body == b"" or not answer.is_from_api
        return (IpBlocked if is_plain else Forbidden)(detail, **answer.facts())
    if status in (404, 410):
        # Without even this path of the API there is no account; what every account has is never "not found".
        no_path = NO_SUCH_PATH.match(detail) is not None and ITEM.search(answer.path) is None
        no_account = not answer.is_from_api or no_path or (not answer.is_write and answer.path.endswith(ALWAYS_THERE))
        return NotFound(detail, no_account=no_account, **answer.facts())
    if status in (408, 429) or status >= 500:
        return _passing_error(answer, problem, detail, now())
    return Validation(detail, items=_items(problem, secrets), **answer.facts())


def problem_of(answer: Answer, *secrets: str) -> dict[str, str]:
    """Returns the texts of a problem body, without the secrets that were sent; empty when it is none."""
    return {key: excerpt(value, secrets) for key, value in answer.problem.items() if isinstance(value, str)}


def _detail(answer: Answer, problem: JsonObject, secrets: Sequence[str]) -> str:
    """Returns the answer's own words, without secrets; of an address only the host: the rest may hold anything."""
    if answer.status < 400:
        try:
            host = urlsplit(answer.headers.get("Location", "")).hostname or ""
        except ValueError:
            host = ""
        which = excerpt(host, secrets) if HOST.fullmatch(host) else gettext_noop("another address")
        return gettext_noop("redirects to %(which)s (%(status)s), which is never followed") % {
            "which": which,
            "status": answer.status,
        }
    for key in ("detail", "title", "hint"):
        if isinstance(problem.get(key), str) and problem[key].strip():
            return excerpt(str(problem[key]).strip(), secrets)
    page = (answer.body or b"")[:LONGEST_PAGE].decode("utf-8", "replace")
    text = re.sub(r"<head\b.*?</head>|<[^>]*>", " ", page, flags=re.DOTALL | re.IGNORECASE)  # the title says it twice
    return excerpt(" ".join(text.split()), secrets)


def _passing_error(answer: Answer, problem: JsonObject, detail: str, now: float) -> RateLimited | ServerError:
    """Returns the error of a 429, a 408 or a 5xx, with the pause that Kommo asks for."""
    pause = _retry_after(answer, problem, now)
    if answer.status == 429:
        until = None if pause is None else now + pause
        if until is not None:
            clock = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(until))
            detail = gettext_noop("%(said)s (asks to wait %(seconds)s s, until %(until)s)") % {
                "said": detail,
                "seconds": f"{pause:.0f}",
                "until": clock,
            }
        return RateLimited(detail, until=until, **answer.facts(retry_after=pause))
    facts = answer.facts(outcome_unknown=answer.is_write, retry_after=pause)
    trace = problem.get("trace_id")
    if facts.get("request_id") is None and isinstance(trace, str):
        facts["request_id"] = trace
    return ServerError(detail, **facts)


def _retry_after(answer: Answer, problem: JsonObject, now: float) -> float | None:
    """Returns the seconds of the header, undocumented but usual, else the body's own (docs/kommo.md 2)."""
    for value in (answer.headers.get("Retry-After"), problem.get("retry_after")):
        if value is None or isinstance(value, bool):
            continue
        try:
            seconds = float(value)
        except (TypeError, ValueError, OverflowError):
            try:
                at = parsedate_to_datetime(str(value))
                seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
            except (ValueError, OverflowError):
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _items(problem: JsonObject, secrets: Sequence[str]) -> tuple[ItemError, ...]:
    """Returns the complaints of `validation-errors`; what has not their shape is left out."""
    entries = problem.get("validation-errors")
    items = []
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        name, errors = entry.get("request_id"), entry.get("errors")
        field_errors = tuple(
            FieldError(*(excerpt(str(error.get(key) or ""), secrets) for key in ("code", "path", "detail")))
            for error in (errors if isinstance(errors, list) else ())
            if isinstance(error, dict)
        )
        items.append(ItemError(request_id=None if name is None else str(name), errors=field_errors))
    return tuple(items)
