"""Reads of when a run did what, and how many requests that took."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, Min, Sum
from django.utils.translation import gettext as _

from accounts import clock
from syncing.models import AccountRun, SyncRun
from syncing.presentation.labels import span


@dataclass(frozen=True)
class Phase:
    """A part of a run; `share` of the whole and where it begins in it, in percent."""

    code: str
    label: str
    start: datetime
    end: datetime
    begins: float
    share: float

    @property
    def lasted(self) -> str:
        return span(self.start, self.end)


@dataclass(frozen=True)
class RunTimes:
    """The phases of a run, and its requests to all accounts, the master's among them."""

    phases: tuple[Phase, ...]
    requests: int
    per_second: float | None  # None before there is anything to divide


def times_of(run: SyncRun) -> RunTimes:
    """Returns the phases up to now, or to the end of the run; in one query."""
    rows = AccountRun.objects.filter(run=run).order_by()
    sums = rows.aggregate(first=Min("started_at"), last=Max("finished_at"), requests=Sum("requests"))
    end = run.finished_at or clock.now()
    requests = run.master_requests + (sums["requests"] or 0)
    seconds = (end - run.started_at).total_seconds() if run.started_at else 0
    return RunTimes(_phases(run, sums, end), requests, requests / seconds if seconds > 0 else None)


def _phases(run: SyncRun, sums: dict[str, Any], end: datetime) -> tuple[Phase, ...]:
    """Returns what the run did until `end`: it waited, read the master, worked on the accounts."""
    first = sums["first"] if run.started_at else None
    marks = [
        ("waited", _("Waited"), run.created_at, run.started_at or end),
        ("master", _("Read the master"), run.started_at, first or end),
        ("accounts", _("Worked on the accounts"), first, end),
    ]
    whole = max((end - run.created_at).total_seconds(), 0.001)
    phases = []
    for code, label, start, until in marks:
        if start is not None and until is not None and until >= start:
            begins, lasted = (start - run.created_at).total_seconds(), (until - start).total_seconds()
            phases.append(Phase(code, label, start, until, 100 * begins / whole, 100 * lasted / whole))
    return tuple(phases)
