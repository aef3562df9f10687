"""The errors between us and Kommo; every one carries facts, so that nobody has to parse a text.

KommoError
 +-- Unauthorised   401: unauthorised | token_expired | token_revoked
 |    +-- GrantRefused   the token endpoint takes the code or the refresh token no more
 +-- Unpaid         402
 +-- Forbidden      403 as JSON: the user may not
 +-- IpBlocked      403 as plain text or HTML: this machine may not, nor anybody else on it, unless `plain_403` finds
 |                  that it is RequestRefused (a Validation) or IpNotAllowed (this account alone)
 +-- NotFound       404; `no_account` when the account itself is unknown
 +-- Validation     400, 422 and the other 4xx; `items` names every refused item
 +-- RateLimited    429, or a pause too long to wait for; `until`
 +-- ServerError    5xx; too many of them, and of no answers: OutOfService (`failure_counter`)
 +-- NetworkError   reset, timeout, DNS, TLS, refused; `sent` False when nothing ever left
 +-- BadAnswer      truncated, not JSON, wrong shape, pages that do not add up, a redirect
 +-- Stopped        everything was stopped (`stopping`): a blocked IP, a cancelled run, a lost claim
ReadOnly            a write through a read-only client: our own bug, nothing was sent
"""

from dataclasses import dataclass
from typing import ClassVar, TypedDict, Unpack

NAMED_ITEMS = 10


def gettext_noop(text: str) -> str:
    """Marks a text that the pages translate; this room knows no Django, `makemessages` knows the name."""
    return text


class RequestFacts(TypedDict, total=False):
    """The request, its account, and how it was answered."""

    account: str
    method: str
    path: str
    status: int | None
    request_id: str | None


class Facts(RequestFacts, total=False):
    """The facts that every error may be given; all become attributes of the same names."""

    retry_after: float | None
    retryable: bool
    outcome_unknown: bool
    code: str
    remedy: str


class KommoError(Exception):
    """The root.

    `retryable`: the same request may succeed later. `outcome_unknown`: the write may have happened. `code` is
    one of the public reason codes, `remedy` a sentence for the operator, `retry_after` seconds.
    """

    code: str = "bad_answer"
    remedy: str = gettext_noop("Run again; if it stays, report it with the request id.")
    retryable: bool = False

    def __init__(self, detail: str = "", **facts: Unpack[Facts]) -> None:
        super().__init__(detail)
        self.detail = detail
        self.account = facts.get("account", "")
        self.method = facts.get("method", "")
        self.path = facts.get("path", "")
        self.status = facts.get("status")
        self.request_id = facts.get("request_id")
        self.retry_after = facts.get("retry_after")
        self.retryable = facts.get("retryable", type(self).retryable)
        self.outcome_unknown = facts.get("outcome_unknown", False)
        self.code = facts.get("code", type(self).code)
        self.remedy = facts.get("remedy", type(self).remedy)

    @property
    def request(self) -> RequestFacts:
        """Returns the facts for another error about the same request."""
        return RequestFacts(
            account=self.account, method=self.method, path=self.path, status=self.status, request_id=self.request_id
        )

    def __str__(self) -> str:
        request = f"{self.method} {self.path}".strip()
        what = f"{self.status} {self.detail}" if self.status and self.status >= 400 else self.detail
        return ": ".join(part for part in (self.account, request, what.strip()) if part) or self.code


class Unauthorised(KommoError):
    """401: `token_expired` by the token's own date, `token_revoked` if Kommo says so, else `unauthorised`."""

    code = "unauthorised"
    remedies: ClassVar[dict[str, str]] = {
        "unauthorised": gettext_noop("Kommo does not accept the token: make a new one in this account and store it."),
        "token_expired": gettext_noop("The token has expired: make a new one in this account and store it."),
        "token_revoked": gettext_noop("The token was revoked: make a new one in this account and store it."),
    }

    def __init__(self, detail: str = "", **facts: Unpack[Facts]) -> None:
        facts.setdefault("remedy", self.remedies.get(facts.get("code", self.code), self.remedies[self.code]))
        super().__init__(detail, **facts)


class GrantRefused(Unauthorised):
    """4xx of the token endpoint: asking again cannot help, and could get this IP blocked (docs/kommo.md 1.3)."""

    remedies: ClassVar[dict[str, str]] = dict.fromkeys(
        ("unauthorised", "token_expired", "token_revoked"),
        gettext_noop("Connect the account again: open it in the admin and press Connect, or send an invite link."),
    )


class Unpaid(KommoError):
    """402: the account's paid or trial period is over; no use in trying again."""

    code = "unpaid"
    remedy = gettext_noop("The account's paid or trial period has ended: renew it in Kommo, then run again.")


class Forbidden(KommoError):
    """403 as JSON: the token's user lacks rights."""

    code = "forbidden"
    remedy = gettext_noop(
        "The token's user has no administrator rights: make the token as an administrator of the account."
    )


class IpBlocked(KommoError):
    """403 as plain text or HTML: Kommo blocks this IP, for every account (docs/kommo.md 2)."""

    code = "ip_blocked"
    remedy = gettext_noop(
        "Kommo blocks this machine's IP address: ask Kommo's support to lift it, and lower KOMMO_RATE_PER_IP."
    )


class NotFound(KommoError):
    """404. `no_account`: not the API answered, so the account itself is unknown."""

    code = "not_found"
    remedy = gettext_noop("Kommo does not know it: run again; if it stays, check the subdomain and the account.")
    no_account_remedy: ClassVar[str] = gettext_noop(
        "There is no such account: check the subdomain and KOMMO_URL_TEMPLATE."
    )

    def __init__(self, detail: str = "", *, no_account: bool = False, **facts: Unpack[Facts]) -> None:
        if no_account:
            facts.setdefault("remedy", self.no_account_remedy)
        super().__init__(detail, **facts)
        self.no_account = no_account


@dataclass(frozen=True)
class FieldError:
    """One complaint: Kommo's code, the dotted path relative to the item, its sentence."""

    code: str
    path: str
    detail: str

    def __str__(self) -> str:
        return f"{self.path or 'item'}: {self.detail or self.code}" + (f" ({self.code})" if self.code else "")


@dataclass(frozen=True)
class ItemError:
    """The complaints about one item of a batch; `request_id` is the item's own, or its index as text."""

    request_id: str | None
    errors: tuple[FieldError, ...]

    def __str__(self) -> str:
        name = "request" if self.request_id is None else f"item {self.request_id}"
        return f"{name}: " + "; ".join(str(error) for error in self.errors)


class Validation(KommoError):
    """400, 422, the rest of 4xx: refused as it stands. `items` holds every entry of `validation-errors`."""

    code = "validation"
    remedy = gettext_noop("Kommo refused the values: correct what the message names, in the master or in the account.")

    def __init__(self, detail: str = "", *, items: tuple[ItemError, ...] = (), **facts: Unpack[Facts]) -> None:
        named = [str(item) for item in items[:NAMED_ITEMS]]
        if len(items) > NAMED_ITEMS:
            named.append(gettext_noop("and %(count)s more items") % {"count": len(items) - NAMED_ITEMS})
        super().__init__(". ".join(part for part in (detail.rstrip("."), *named) if part), **facts)
        self.items = items


class RateLimited(KommoError):
    """429, or a pause longer than we wait. `retry_after` seconds; `until` its end, unix seconds, if known."""

    code = "rate_limited"
    remedy = gettext_noop("Kommo asks for a pause: run again later; if it happens often, lower KOMMO_RATE_PER_ACCOUNT.")
    retryable = True

    def __init__(self, detail: str = "", *, until: float | None = None, **facts: Unpack[Facts]) -> None:
        super().__init__(detail, **facts)
        self.until = until


class ServerError(KommoError):
    """5xx: Kommo failed. A write may still have happened."""

    code = "server_error"
    remedy = gettext_noop("Kommo had an internal error: run again later.")
    retryable = True


class NetworkError(KommoError):
    """No answer. `sent` False: the connection was never made, so nothing happened; None: nobody knows."""

    code = "unreachable"
    remedy = gettext_noop(
        "Kommo could not be reached: check the network, the proxy and KOMMO_URL_TEMPLATE, then run again."
    )
    retryable = True

    def __init__(self, detail: str = "", *, sent: bool | None = None, **facts: Unpack[Facts]) -> None:
        super().__init__(detail, **facts)
        self.sent = sent


class BadAnswer(KommoError):
    """An answer that cannot be trusted; never to be read as "nothing there"."""

    code = "bad_answer"
    remedy = gettext_noop(
        "Kommo's answer was incomplete or unexpected: run again; if it stays, report it with the request id."
    )


class ReadOnly(TypeError):
    """A write through a client that was opened for reading; nothing was sent."""


def no_account_answers(error: KommoError) -> bool:
    """Returns True if no account answers here (any more): none of this name, or only a way to another address."""
    if isinstance(error, NotFound):
        return error.no_account
    return isinstance(error, BadAnswer) and error.status is not None and 300 <= error.status < 400
