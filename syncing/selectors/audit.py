"""The audit as it is listed and taken along."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts.services.tables.formulas import guarded
from syncing.models import AuditEntry

COLUMNS = ("id", "at", "actor", "via", "action", "group", "account", "run", "reason", "details")
AT_A_TIME = 500  # rows


def entries(*, since: datetime | None = None, before: int | None = None) -> QuerySet[AuditEntry]:
    """The newest first; made at `since` or later, older than the entry `before`."""
    found = AuditEntry.objects.order_by("-pk")
    if since is not None:
        found = found.filter(at__gte=since)
    return found if before is None else found.filter(pk__lt=before)


def document(entry: AuditEntry) -> dict[str, Any]:
    """One entry, as the API and the exports tell it."""
    return {
        "id": entry.pk,
        "at": timezone.localtime(entry.at).isoformat(timespec="seconds"),
        "actor": entry.actor,
        "via": entry.via,
        "action": entry.action,
        "group": entry.group or None,
        "account": entry.account or None,
        "run": entry.run,
        "reason": entry.reason or None,
        "details": entry.details,
    }


def as_csv(found: QuerySet[AuditEntry]) -> Iterator[str]:
    """Lines of a CSV file with a header; what a spreadsheet would take for a formula is made harmless."""
    yield _line(COLUMNS)
    for entry in found.iterator(AT_A_TIME):
        yield _line(map(_cell, document(entry).values()))


def as_json(found: QuerySet[AuditEntry]) -> Iterator[str]:
    """The parts of one JSON list."""
    before = "["
    for entry in found.iterator(AT_A_TIME):
        yield before + json.dumps(document(entry), ensure_ascii=False)
        before = ",\n"
    yield "]\n" if before != "[" else "[]\n"


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return guarded(value) if isinstance(value, str) else str(value)
