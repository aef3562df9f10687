"""Faults on demand: the request that fails, the way, and whether its write was applied before its answer got lost."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ODD = "odd"
KINDS = {
    "429": "JSON with retry_after",
    "429_header": "JSON and a Retry-After header",
    "429_plain": "a body that is no JSON",
    "401": "token refused",
    "402": "account unpaid",
    "403_plain": "blocked IP, or an account whose whitelist has another address, or a firewall (`holds`)",
    "403_json": "no rights",
    "404": "JSON, as of something that is gone",
    "500": "JSON with trace_id, not applied",
    "503": "plain, as in an outage; not applied",
    "500_applied": "JSON with trace_id, applied before",
    "504": "gateway timeout, not applied",
    "504_applied": "gateway timeout, applied before",
    "reset": "connection reset, not applied",
    "reset_applied": "connection reset, applied before",
    "slow": "applied, the answer `seconds` late",
    "truncated": "applied, half of the body under the length of the whole",
    "garbage": "applied, 200 with HTML",
    "empty": "applied, 200 without a body",
    "no_content": "not applied, 204 as if the list were empty",
    "half": "applied, the list in the answer loses its second half, the totals stay",
    "silent_half": "a list reads as if its second half did not exist: totals, pages and links agree with what is left",
    ODD: "applied, the item of the id `item` has `value` at the dotted path `at`, or with `missing` nothing there",
    "answer": "not applied, `status` and `body` as given",
}


@dataclass(slots=True)
class Fault:
    """One fault: strikes `times` matching requests (None: all) after letting `skip` of them pass.

    `path` is a substring of, or a compiled pattern searched in, "/api/v4/...?query"; `method` may be "write" for
    POST, PATCH and DELETE; the body `holds` a text.
    `meanwhile`: what a person does in the account after the request was performed (or not), before its answer goes.
    """

    kind: str
    subdomain: str | None = None
    method: str | None = None
    path: str | re.Pattern[str] | None = None
    times: int | None = 1
    skip: int = 0
    seconds: float = 1.0
    retry_after: int = 1
    status: int = 200
    body: str = ""
    content_type: str = "application/hal+json"
    item: int | str = 0
    at: str = ""
    value: Any = None
    missing: bool = False
    holds: str = ""
    meanwhile: Callable[[], object] | None = None
    hits: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}: one of {', '.join(KINDS)}")

    def matches(self, subdomain: str, method: str, target: str, body: bytes = b"") -> bool:
        if self.subdomain not in (None, subdomain):
            return False
        if self.method not in (None, method) and (self.method != "write" or method == "GET"):
            return False
        if self.holds.encode() not in body:
            return False
        if isinstance(self.path, re.Pattern):
            return self.path.search(target) is not None
        return self.path is None or self.path in target


class Faults:
    """The faults that wait; the first that matches a request and has waited long enough strikes."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Adds a fault and returns it; its `hits` count how often it struck."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def remove_of(self, subdomain: str) -> None:
        """Removes those that strike this account alone."""
        with self._lock:
            self._faults = [fault for fault in self._faults if fault.subdomain != subdomain]

    def by_account(self) -> dict[str, Fault]:
        """Returns for each account that has faults of its own the first one that waits."""
        with self._lock:
            return {fault.subdomain: fault for fault in reversed(self._faults) if fault.subdomain is not None}

    def take(self, subdomain: str, method: str, target: str, body: bytes = b"") -> Fault | None:
        """Returns the fault that strikes this request, and counts it."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.kind == ODD or not fault.matches(subdomain, method, target, body):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                self._strike(fault)
                return fault
        return None

    def take_odd(self, subdomain: str, method: str, target: str) -> list[Fault]:
        """Returns the faults of kind "odd" for this request: all of them strike, beside one of another kind."""
        with self._lock:
            ours = [each for each in self._faults if each.kind == ODD and each.matches(subdomain, method, target)]
            for fault in ours:
                if fault.skip:
                    fault.skip -= 1
                else:
                    self._strike(fault)
        return [fault for fault in ours if fault.hits]

    def _strike(self, fault: Fault) -> None:
        fault.hits += 1
        if fault.times is not None and fault.hits >= fault.times:
            self._faults.remove(fault)
