"""The audit, listed and exported."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.kommo.texts import storable, storable_id
from accounts.services.tables.formulas import csv_line
from syncing.models import AuditEntry

COLUMNS = ("id", "at", "actor", "via", "action", "group", "account", "run", "reason", "details")
AT_A_TIME = 500  # rows


def entries(
    *, since: datetime | None = None, before: int | None = None, **wanted: str | int | None
) -> QuerySet[AuditEntry]:
    """Returns the entries made at `since` or later and before the entry `before`, the newest first.

    `wanted`: values of columns, None for any.
    """
    columns = {"at__gte": since, "pk__lt": before, **wanted}
    if any(isinstance(value, str) and storable(value) != value for value in wanted.values()):
        return AuditEntry.objects.none()
    listed = AuditEntry.objects.order_by("-pk")
    return listed.filter(**{name: value for name, value in columns.items() if value is not None})


def found(*, text: str = "", action: str = "", group: str = "") -> QuerySet[AuditEntry]:
    """Returns the entries with all of these words, of this action and this group ("": any), the newest first."""
    listed = entries(action=action or None, group=group or None)
    for word in text.split():
        matches = Q(actor__icontains=word) | Q(group__icontains=word) | Q(account__icontains=word)
        matches |= Q(reason__icontains=word)
        listed = listed.filter(matches | Q(run=number) if (number := storable_id(word)) is not None else matches)
    return listed


def document(entry: AuditEntry) -> dict[str, Any]:
    """Returns an entry as the API and the exports have it."""
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


def as_csv(listed: QuerySet[AuditEntry]) -> Iterator[str]:
    """Yields the lines of a CSV file, the header first."""
    yield csv_line(COLUMNS)
    for entry in listed.iterator(AT_A_TIME):
        details = json.dumps(entry.details, ensure_ascii=False) if entry.details else ""
        yield csv_line({**document(entry), "details": details}.values())


def as_json(listed: QuerySet[AuditEntry]) -> Iterator[str]:
    """Yields one JSON list, an entry at a time."""
    before = "["
    for entry in listed.iterator(AT_A_TIME):
        yield before + json.dumps(document(entry), ensure_ascii=False)
        before = ",\n"
    yield "]\n" if before != "[" else "[]\n"
