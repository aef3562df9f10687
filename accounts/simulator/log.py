"""The log of all requests with their times: the evidence of every test about requests and pace."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

MAX_LOGGED = 100_000


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request: `at` is its arrival (monotonic seconds), status 0 means that no answer was sent."""

    number: int
    at: float
    ip: str
    subdomain: str
    method: str
    path: str
    query: str
    status: int
    size: int
    body: bytes

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "body": self.body.decode("utf-8", "replace")}


class RequestLog:
    """The last requests, oldest first, and counts over everything since the last `clear`."""

    def __init__(self) -> None:
        self.records: deque[LoggedRequest] = deque(maxlen=MAX_LOGGED)
        self.statuses: Counter[int] = Counter()
        self.by_account: Counter[str] = Counter()
        self._number = 0
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[LoggedRequest]:
        with self._lock:
            return iter(list(self.records))

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> LoggedRequest:
        return self.records[index]

    def add(
        self,
        *,
        at: float,
        ip: str,
        subdomain: str,
        method: str,
        path: str,
        query: str,
        status: int,
        size: int,
        body: bytes,
    ) -> None:
        with self._lock:
            self._number += 1
            self.records.append(LoggedRequest(self._number, at, ip, subdomain, method, path, query, status, size, body))
            self.statuses[status] += 1
            self.by_account[subdomain] += 1

    def clear(self) -> None:
        with self._lock:
            self.records.clear()
            self.statuses.clear()
            self.by_account.clear()

    def of(self, subdomain: str, method: str | None = None) -> list[LoggedRequest]:
        """Returns the requests of one account, of one method if given."""
        return [each for each in self if each.subdomain == subdomain and method in (None, each.method)]

    def since(self, number: int, limit: int = 10_000) -> list[LoggedRequest]:
        """Returns at most `limit` requests behind this number."""
        return [each for each in self if each.number > number][:limit]

    def after(self, at: float) -> list[LoggedRequest]:
        """Returns the requests logged since a moment (monotonic seconds), newest first."""
        with self._lock:
            return list(takewhile(lambda each: each.at >= at, reversed(self.records)))

    def peak_per_second(self, subdomain: str | None = None, ip: str | None = None) -> int:
        """Returns the most requests that ever arrived within one sliding second."""
        times = sorted(each.at for each in self if subdomain in (None, each.subdomain) and ip in (None, each.ip))
        peak = first = 0
        for last, at in enumerate(times):
            while times[first] <= at - 1.0:
                first += 1
            peak = max(peak, last - first + 1)
        return peak
