"""The rate limit of docs/kommo.md 2: a sliding second per IP or account, 429, and a block of the IP after too many."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from enum import Enum


@dataclass(slots=True)
class RateLimit:
    """The limit and how its refusals look; everything may be changed while it runs."""

    key: str = "ip"
    """What is counted: "ip", "account" or "none"."""
    per_second: int = 7
    block_after: int = 10
    """So many 429s within `block_window` seconds block the IP for all accounts (0: never)."""
    block_window: float = 60.0
    retry_after: int = 1
    """Seconds, in the body and in the header."""
    plain_body: bool = False
    """The 429 has a body that is no JSON."""
    retry_after_header: bool = False
    """The 429 has a Retry-After header (not documented, but usual)."""


class Admission(Enum):
    """The answer of the limiter to one request."""

    ADMITTED = "admitted"
    LIMITED = "limited"
    BLOCKED = "blocked"


class Limiter:
    """Counts every request, refused ones included, as nobody promises that those are free."""

    def __init__(self, limits: RateLimit) -> None:
        self.limits = limits
        self.blocked: set[str] = set()
        self._lock = threading.Lock()
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._refusals: defaultdict[str, deque[float]] = defaultdict(deque)

    def admit(self, *, ip: str, subdomain: str, at: float) -> Admission:
        """Judges a request that arrived at `at` (monotonic seconds)."""
        if ip in self.blocked:
            return Admission.BLOCKED
        limits = self.limits
        if limits.key == "none":
            return Admission.ADMITTED
        with self._lock:
            recent = self._recent[ip if limits.key == "ip" else subdomain]
            recent.append(at)
            _forget(recent, at - 1.0)
            if len(recent) <= limits.per_second:
                return Admission.ADMITTED
            refusals = self._refusals[ip]
            refusals.append(at)
            _forget(refusals, at - limits.block_window)
            if limits.block_after and len(refusals) >= limits.block_after:
                self.blocked.add(ip)
            return Admission.LIMITED

    def reset(self) -> None:
        """Forgets all counts and lifts every block."""
        with self._lock:
            self._recent.clear()
            self._refusals.clear()
            self.blocked.clear()


def _forget(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()
