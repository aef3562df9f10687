"""Requests and answers of the simulator, whatever carries them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from accounts.simulator import spelling
from accounts.simulator.account import SimAccount
from accounts.simulator.addressing import Address
from accounts.simulator.problems import problem
from accounts.simulator.validation import request_id

HAL = "application/hal+json"
PROBLEM = "application/problem+json"
PLAIN = "text/html"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SimRequest:
    """One request; `path` begins with /api or /oauth, `subdomain` is the account that log and limiter count it for."""

    method: str
    query: str
    body: bytes
    authorization: str
    ip: str
    subdomain: str
    address: Address
    at: float
    content_type: str = ""
    refresh_token: str = ""
    halved: bool = False
    """Under the fault "silent_half"."""

    @property
    def path(self) -> str:
        return self.address.path

    @property
    def base(self) -> str:
        """Returns the part of links before the path."""
        return self.address.base

    @property
    def bearer(self) -> str:
        """Returns the token of the Authorization header, "" for another kind."""
        kind, _, token = self.authorization.partition(" ")
        return token.strip() if kind == "Bearer" else ""


@dataclass(slots=True)
class SimAnswer:
    """One answer; `lost`: the connection is reset instead; `declared`: a Content-Length that is not the body's."""

    status: int
    body: bytes = b""
    content_type: str = HAL
    headers: tuple[tuple[str, str], ...] = ()
    lost: bool = False
    declared: int | None = None


class Call:
    """A request that reached its account, with all that a resource needs to answer it."""

    def __init__(self, account: SimAccount, request: SimRequest) -> None:
        self.account = account
        self.variants = account.variants
        self.body = request.body
        self.base = request.base
        self.path = request.path
        self.halved = request.halved
        self._query = request.query

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self._query, keep_blank_values=True)

    def parameter(self, name: str) -> str | None:
        return next((value for key, value in self.query if key == name), None)

    def filter_values(self, name: str) -> list[str]:
        """Returns the values of filter[name], filter[name][] and filter[name][0]; comma lists are split."""
        start = f"filter[{name}]"
        values = [value for key, value in self.query if key == start or key.startswith(start + "[")]
        return [part for value in values for part in value.split(",") if part]

    def stored_name(self, kind: str, text: str) -> str:
        """Returns a name as the account stores it."""
        return spelling.stored_name(self.variants, kind, text)

    def bodies_of_created(self, bodies: Sequence[dict[str, Any]], items: Sequence[Any]) -> list[dict[str, Any]]:
        """Returns what a POST of `items` created, as its answer lists it."""
        created = list(bodies)
        if self.variants.request_ids:
            pairs = enumerate(zip(created, items, strict=True))
            created = [{**body, "request_id": request_id(at, item)} for at, (body, item) in pairs]
        return created[::-1] if self.variants.answers_reversed else created

    def collection(self, plural: str, bodies: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Returns the body of a list that has no pages."""
        return {
            "_total_items": len(bodies),
            "_links": {"self": {"href": self.url}},
            "_embedded": {plural: bodies},
        }

    def wants(self, extra: str) -> bool:
        """Returns whether the query asks for an extra by `with`."""
        return extra in (self.parameter("with") or "").split(",")

    def visible(self, items: Sequence[T]) -> Sequence[T]:
        """Returns the items of a list: all, or the first half (rounded down) as if there were no others."""
        return items[: len(items) // 2] if self.halved else items

    @property
    def url(self) -> str:
        return f"{self.base}{self.path}" + (f"?{self._query}" if self._query else "")


def encode(payload: Any) -> bytes:
    """Returns UTF-8; half of a surrogate pair, which has no place there, as the escape that a careless server sends."""
    try:
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(payload, separators=(",", ":")).encode()


def success(payload: Any, status: int = 200) -> SimAnswer:
    return SimAnswer(status, encode(payload))


def nothing() -> SimAnswer:
    """Returns the answer of an empty list (docs/kommo.md 3)."""
    return SimAnswer(204)


def deleted(call: Call) -> SimAnswer:
    """Returns the answer to a DELETE, on which the sources do not agree on (docs/kommo.md 4)."""
    return SimAnswer(204) if call.variants.delete_status == 204 else success({})


def refused(status: int, detail: str, **extra: Any) -> SimAnswer:
    return SimAnswer(status, encode({**extra, **problem(status, detail)}), PROBLEM)


def plain(status: int, text: str) -> SimAnswer:
    """Returns an answer of the web server in front of Kommo: HTML, no JSON."""
    page = f"<html><head><title>{text}</title></head><body><center><h1>{text}</h1></center></body></html>"
    return SimAnswer(status, page.encode(), PLAIN)
