"""The audit, listed and exported."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.kommo.texts import storable, storable_id
from accounts.services.tables.formulas import csv_line
from accounts.text_search import any_finds
from syncing.models import AuditAction, AuditEntry, Trigger
from syncing.selectors.filters import ListFilters, a_day, in_days, one_of

COLUMNS = ("id", "at", "actor", "via", "action", "group", "account", "run", "reason", "details")
AT_A_TIME = 500  # rows


@dataclass(frozen=True)
class AuditListFilters(ListFilters):
    """What somebody looks for. `group`: a name, as groups may be gone; `since` and `until`: the first and last day."""

    action: str = one_of(*AuditAction.values)
    via: str = one_of(*Trigger.values)
    group: str = ""
    since: str = a_day()
    until: str = a_day()
    sort: str = one_of("oldest")


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


def found_entries(filters: AuditListFilters) -> QuerySet[AuditEntry]:
    """Returns the entries with all of these words, the newest first if no other order is asked for."""
    wanted = {name: getattr(filters, name) or None for name in ("action", "via", "group")}
    listed = entries(**wanted).filter(in_days("at", filters.since, filters.until))
    for word in filters.q.split():
        matches = any_finds(word, "actor", "group", "account", "reason")
        number = storable_id(word.lstrip("#"))
        listed = listed.filter(matches if number is None else matches | Q(run=number))
    return listed.order_by("pk") if filters.sort else listed


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
