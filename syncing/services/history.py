"""What attempts of an account run leave behind: their outcomes as log rows, and the id mappings."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q

from syncing.engine.refs import Ref
from syncing.models import IdMapping, LogEntry
from syncing.services.contract import Mapped, Outcome
from syncing.store import NAME_LENGTH, clean, short

DONE = "done"
WRITES = {"create": "created", "update": "updated", "delete": "deleted", "adopt": "adopted"}


# -- id mappings --


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


# -- outcomes --


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
