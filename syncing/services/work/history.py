"""What attempts of an account run leave behind: their outcomes as log rows, and the id mappings."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from syncing.engine.pending import ListKey, Pending
from syncing.engine.refs import CHILD_KIND, Kind, Ref
from syncing.engine.stored_names import ItemKey, ShownName
from syncing.models import IdMapping, LogEntry, PendingCreation, StoredName
from syncing.replication.contract import Mapped, Outcome
from syncing.store import NAME_LENGTH, clean, insert, json_value, short

DONE = "done"
WRITES = {"create": "created", "update": "updated", "delete": "deleted", "adopt": "adopted"}


OPTION = "option"  # as the code of a log entry: an option that was made with or in its field, which has its own entry

# What becomes of the id mappings: of which account, what happened, mappings to keep, to drop. In a transaction.
Remember = Callable[[int, Sequence[Outcome], Sequence[Mapped], Sequence[Ref]], None]


# -- id mappings --


def remember_slave(
    account_id: int, outcomes: Sequence[Outcome], mapped: Sequence[Mapped], dropped: Sequence[Ref]
) -> None:
    """Of a slave that is brought to its master: as told."""
    keep_mappings(account_id, mapped, dropped)


def remember_rollback(
    account_id: int, outcomes: Sequence[Outcome], mapped: Sequence[Mapped], dropped: Sequence[Ref]
) -> None:
    """Of a slave that is brought back: its mappings are to itself, so nothing of them is kept.

    What the master has to do with it stays as it was, except for what is gone now; what came back with a new id is
    met by the next sync, by its name.
    """
    gone = [outcome for outcome in outcomes if outcome.action == "delete" and outcome.state == DONE and outcome.key]
    condition = _matching((outcome.kind, "slave_key", outcome.key) for outcome in gone)
    for outcome in gone:
        if outcome.kind in CHILD_KIND:
            condition |= Q(kind=CHILD_KIND[Kind(outcome.kind)], slave_key__startswith=f"{outcome.key}/")
    if condition:
        IdMapping.objects.filter(condition, account=account_id).delete()


def keep_mappings(account_id: int, mapped: Sequence[Mapped], dropped: Sequence[Ref]) -> None:
    """Drops, then keeps. A slave item that gets a new master item leaves its old one.

    That we created an item is never forgotten, whichever master item it belongs to later. Must run in a transaction.
    """
    latest = {item.ref: item for item in mapped}
    if not dropped:
        try:
            with transaction.atomic():
                return _add(account_id, latest.values(), frozenset())
        except IntegrityError:  # some are known already; on a first sync none is, and looking would cost more
            pass
    ours = IdMapping.objects.filter(account_id=account_id)
    created = _created_by_us(ours, latest.values())
    gone = _matching((ref.kind, "master_key", ref.key) for ref in (*dropped, *latest))
    gone |= _matching((item.ref.kind, "slave_key", item.slave_key) for item in latest.values())
    ours.filter(gone).delete()
    return _add(account_id, latest.values(), created)


def keep_stored_names(account_id: int, names: Mapping[ItemKey, ShownName | None]) -> None:
    """Those that are None are forgotten. Must run in a transaction."""
    if not names:
        return
    StoredName.objects.filter(_matching((kind, "key", key) for kind, key in names), account=account_id).delete()
    rows = [(kind.value, key, clean(each.sent), clean(each.shown)) for (kind, key), each in names.items() if each]
    insert(StoredName, {"account": account_id}, ("kind", "key", "sent", "shown"), rows)


def keep_pending(account_id: int, pending: Mapping[ListKey, Pending | None]) -> None:
    """Those that are None are settled. Must run in a transaction."""
    if not pending:
        return
    PendingCreation.objects.filter(
        _matching((kind, "place", place) for kind, place in pending), account=account_id
    ).delete()
    PendingCreation.objects.bulk_create(
        PendingCreation(
            account_id=account_id,
            kind=kind.value,
            place=place,
            master_keys=sorted(ref.key for ref in each.refs),
            before=sorted(each.before),
        )
        for (kind, place), each in pending.items()
        if each is not None
    )


def _add(account_id: int, items: Iterable[Mapped], created: Container[tuple[str, str]]) -> None:
    insert(
        IdMapping,
        {"account": account_id, "created_at": timezone.now()},
        ("kind", "master_key", "slave_key", "name", "parent", "created_by_us"),
        [
            (
                item.ref.kind.value,
                item.ref.key,
                item.slave_key,
                clean(item.name)[:NAME_LENGTH],
                clean(item.parent)[:NAME_LENGTH],
                item.created_by_us or (item.ref.kind, item.slave_key) in created,
            )
            for item in items
        ],
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
    insert(
        LogEntry,
        {"run": run_id, "account_run": account_run_id, "at": timezone.now()},
        ("level", "code", "action", "kind", "name", "message", "details"),
        [
            (
                (LogEntry.Level.INFO if outcome.state == DONE else LogEntry.Level.WARNING).value,
                outcome.state[:30],
                outcome.action,
                str(outcome.kind),
                clean(outcome.name)[:NAME_LENGTH],
                short(outcome.message),
                json_value(LogEntry, "details", _details(outcome)),
            )
            for outcome in outcomes
        ],
    )


def log_options(run_id: int, account_run_id: int, mapped: Sequence[Mapped]) -> None:
    """The options that we made: a rollback asks for them one by one."""
    made = [item for item in mapped if item.created_by_us and item.ref.kind is Kind.ENUM]
    insert(
        LogEntry,
        {"run": run_id, "account_run": account_run_id, "at": timezone.now(), "level": "info", "code": OPTION},
        ("action", "kind", "name", "message", "details"),
        [
            (
                "",
                item.ref.kind.value,
                clean(item.name)[:NAME_LENGTH],
                "",
                json_value(LogEntry, "details", {"parent": item.parent, "key": item.slave_key}),
            )
            for item in made
        ],
    )


def _details(outcome: Outcome) -> dict[str, Any]:
    details: dict[str, Any] = {"parent": outcome.parent, "fields": dict(outcome.fields)}
    return details | ({"key": outcome.key} if outcome.key else {})


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
        key=row.details.get("key", ""),
    )


def lasting(outcomes: Sequence[Outcome], later: Iterable[Mapping[str, Any]] = ()) -> list[Outcome]:
    """`outcomes` without the failures that a later attempt at the same thing replaced, there or in `later` changes.

    What was done stays: it was written, however often.
    """
    seen = {(change["action"], change["kind"], change["name"], change["parent"]) for change in later}
    kept = []
    for outcome in reversed(outcomes):
        what = (outcome.action, str(outcome.kind), outcome.name, outcome.parent)
        if outcome.state == DONE or what not in seen:
            kept.append(outcome)
        seen.add(what)
    return kept[::-1]


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
