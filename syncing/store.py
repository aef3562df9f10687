"""Engine values <-> rows: id mappings, log entries, and the clock that leases go by."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from syncing.conf import MAX_TEXT
from syncing.engine.refs import Kind, Ref
from syncing.models import IdMapping, LogEntry
from syncing.services.contract import Mapped, Outcome

NAME_LENGTH = 500
DONE = "done"
WRITES = {"create": "created", "update": "updated", "delete": "deleted", "adopt": "adopted"}


def now() -> datetime:
    """The database's time, so that machines with different clocks agree on leases (SQLite: the same machine)."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def clean(value: Any) -> Any:
    """`value` without what a database cannot keep: NUL characters, halves of surrogate pairs."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


def short(text: str) -> str:
    """At most MAX_TEXT characters of `text`."""
    text = clean(text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def problem(code: str, message: str, remedy: str) -> dict[str, str]:
    """An `error` of the run document."""
    return {"code": code, "message": short(message), "remedy": short(remedy)}


# -- id mappings --


def known_mappings(account_ids: Iterable[int]) -> dict[int, dict[Ref, str]]:
    """For each account: ref -> the slave's key."""
    known: dict[int, dict[Ref, str]] = {account_id: {} for account_id in account_ids}
    rows = IdMapping.objects.filter(account_id__in=list(known)).order_by()
    for account_id, kind, key, slave_key in rows.values_list("account_id", "kind", "master_key", "slave_key"):
        known[account_id][Ref(Kind(kind), key)] = slave_key
    return known


def keep_mappings(account_id: int, mapped: Sequence[Mapped], dropped: Sequence[Ref]) -> None:
    """Drops, then keeps. A slave item that gets a new master item leaves its old one.

    That we created an item is never forgotten, whichever master item it belongs to later.
    """
    ours = IdMapping.objects.filter(account_id=account_id)
    latest = {item.ref: item for item in mapped}
    created = _created_by_us(ours, latest.values())
    gone = _matching((ref.kind, "master_key", ref.key) for ref in (*dropped, *latest))
    gone |= _matching((item.ref.kind, "slave_key", item.slave_key) for item in latest.values())
    if gone:
        ours.filter(gone).delete()
    IdMapping.objects.bulk_create(
        IdMapping(
            account_id=account_id,
            kind=ref.kind,
            master_key=ref.key,
            slave_key=item.slave_key,
            name=clean(item.name)[:NAME_LENGTH],
            parent=clean(item.parent)[:NAME_LENGTH],
            created_by_us=item.created_by_us or (ref.kind, item.slave_key) in created,
        )
        for ref, item in latest.items()
    )


def _created_by_us(ours: Any, items: Iterable[Mapped]) -> set[tuple[str, str]]:
    wanted = _matching((item.ref.kind, "slave_key", item.slave_key) for item in items)
    if not wanted:
        return set()
    return set(ours.filter(wanted, created_by_us=True).values_list("kind", "slave_key"))


def _matching(triples: Iterable[tuple[str, str, str]]) -> Q:
    """Rows by (kind, column, value), one condition per kind and column."""
    values: dict[tuple[str, str], list[str]] = {}
    for kind, column, value in triples:
        values.setdefault((kind, column), []).append(value)
    condition = Q()
    for (kind, column), found in values.items():
        condition |= Q(("kind", kind), (f"{column}__in", found))
    return condition


# -- log --


def log_outcomes(run_id: int, account_run_id: int, outcomes: Sequence[Outcome]) -> None:
    """One row per object touched."""
    LogEntry.objects.bulk_create(
        LogEntry(
            run_id=run_id,
            account_run_id=account_run_id,
            level=LogEntry.Level.INFO if outcome.state == DONE else LogEntry.Level.WARNING,
            code=outcome.state[:30],
            action=outcome.action,
            kind=outcome.kind,
            name=clean(outcome.name)[:NAME_LENGTH],
            message=short(outcome.message),
            details=clean({"parent": outcome.parent, "fields": dict(outcome.fields)}),
        )
        for outcome in outcomes
    )


def log(
    run_id: int, message: str, *, code: str = "", level: str = LogEntry.Level.INFO, account_run_id: int | None = None
) -> None:
    """One thing worth knowing about a run, or about one account's part of it."""
    LogEntry.objects.create(
        run_id=run_id, account_run_id=account_run_id, level=level, code=code[:30], message=clean(message)
    )


def outcomes_so_far(account_run_ids: Iterable[int]) -> dict[int, list[Outcome]]:
    """What earlier attempts of these account runs have done to objects, in order."""
    found: dict[int, list[Outcome]] = {pk: [] for pk in account_run_ids}
    rows = LogEntry.objects.filter(account_run_id__in=list(found)).exclude(action="").order_by("pk")
    for row in rows:
        if row.account_run_id is not None:
            found[row.account_run_id].append(_outcome(row))
    return found


def _outcome(row: LogEntry) -> Outcome:
    return Outcome(
        action=row.action,
        kind=row.kind,
        name=row.name,
        parent=row.details.get("parent", ""),
        state=row.code,
        message=row.message,
        fields=row.details.get("fields", {}),
    )


def changes_of(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Outcomes as the `changes` of the run document; an adoption is no change."""
    return [
        {
            "action": outcome.action,
            "kind": outcome.kind,
            "name": outcome.name,
            "parent": outcome.parent,
            "fields": dict(outcome.fields),
            "outcome": outcome.state,
        }
        for outcome in outcomes
        if outcome.action != "adopt"
    ]


def counts_of(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Items done, by column of the account run."""
    counts = dict.fromkeys(WRITES.values(), 0)
    for outcome in outcomes:
        if outcome.state == DONE and outcome.action in WRITES:
            counts[WRITES[outcome.action]] += 1
    return counts
