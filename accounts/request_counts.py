"""Counts the requests to Kommo in this process, and adds them to the stored totals of all processes.

A request costs a lock and an addition. `flush` is one UPDATE; lanes call it with every heartbeat, all others when
their requests are done. What a killed process had not added by then is lost.
"""

import threading
from collections.abc import Mapping

from django.db.models import F

from accounts.kommo.transport import Exchange
from accounts.models import RequestTotals

OUTCOMES = ("ok", "rate_limited", "client_error", "server_error", "no_answer")


def outcome_of(status: int | None) -> str:
    """Returns what a request counts as; `status` None: no answer came."""
    if status is None:
        return "no_answer"
    if status == 429:
        return "rate_limited"
    return "ok" if status < 400 else "client_error" if status < 500 else "server_error"


class RequestCounts:
    """Requests by outcome, and their seconds, since they were last taken; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, float] = {}

    def note(self, exchange: Exchange) -> None:
        self.add({outcome_of(exchange.status): 1, "seconds": exchange.seconds})

    def add(self, counts: Mapping[str, float]) -> None:
        with self._lock:
            for name, count in counts.items():
                self._counts[name] = self._counts.get(name, 0) + count

    def take(self) -> dict[str, float]:
        """Returns what was counted, and begins anew."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return counts


COUNTS = RequestCounts()


def flush() -> None:
    """Adds what this process has counted to the totals; asks nothing of the database when that is nothing.

    Not for use in a transaction: all processes add to the same row, which stays locked until the commit. Raises
    DatabaseError; what was counted is then added by the next call.
    """
    counts = COUNTS.take()
    if not counts:
        return
    more = {name: F(name) + count for name, count in counts.items()}
    rows = RequestTotals.objects.filter(pk=RequestTotals.ONLY)
    try:
        if not rows.update(**more):
            RequestTotals.objects.bulk_create([RequestTotals()], ignore_conflicts=True)
            rows.update(**more)
    except BaseException:
        COUNTS.add(counts)
        raise
