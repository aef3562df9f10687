"""Engine values <-> rows: id mappings, snapshots, log entries."""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from django.db import connection
from django.db.models import Field, Model

from accounts.clock import now
from accounts.kommo.answers import storable
from syncing import conf
from syncing.conf import MAX_TEXT
from syncing.engine.pending import ListKey, Pending
from syncing.engine.refs import Kind, Ref
from syncing.engine.snapshot import Snapshot, from_document, to_document
from syncing.engine.stored_names import ItemKey, ShownName
from syncing.models import IdMapping, LogEntry, PendingCreation, SlaveSnapshot
from syncing.models import StoredName as StoredNameRow

NAME_LENGTH = 500


def clean(value: Any) -> Any:
    """`value` without what a database cannot keep: NUL characters, halves of surrogate pairs."""
    if isinstance(value, str):
        return storable(value)
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


# -- many rows at once --


def insert(
    model: type[Model], constants: Mapping[str, Any], columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Adds rows of plain text, numbers and booleans (`json_value` for JSON); `constants` are the same in all of them.

    Model instances cost a tenth of a millisecond each: with hundreds of items per account, half of a run's time.
    """
    if not rows:
        return
    fields = {name: _field(model, name) for name in (*constants, *columns)}
    same = tuple(fields[name].get_db_prep_save(value, connection) for name, value in constants.items())
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields.values())
    marks = ", ".join(["%s"] * len(fields))
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        # Only names of our own models and placeholders are put into the text.
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", [same + row for row in rows])  # noqa: S608


def json_value(model: type[Model], name: str, value: Any) -> Any:
    """`value` as `insert` wants it for the JSON column `name`."""
    return _field(model, name).get_db_prep_save(clean(value), connection)


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    return cast("Field[Any, Any]", model._meta.get_field(name))


# -- id mappings --


def known_mappings(account_ids: Iterable[int]) -> dict[int, dict[Ref, str]]:
    """For each account: ref -> the slave's key."""
    known: dict[int, dict[Ref, str]] = {account_id: {} for account_id in account_ids}
    rows = IdMapping.objects.filter(account_id__in=list(known)).order_by()
    for account_id, kind, key, slave_key in rows.values_list("account_id", "kind", "master_key", "slave_key"):
        known[account_id][Ref(Kind(kind), key)] = slave_key
    return known


def stored_names(account_ids: Iterable[int]) -> dict[int, dict[ItemKey, ShownName]]:
    """For each account: what it shows otherwise than it was sent, by its own keys."""
    found: dict[int, dict[ItemKey, ShownName]] = {account_id: {} for account_id in account_ids}
    rows = StoredNameRow.objects.filter(account_id__in=list(found)).order_by()
    for account_id, kind, key, sent, shown in rows.values_list("account_id", "kind", "key", "sent", "shown"):
        found[account_id][Kind(kind), key] = ShownName(sent, shown)
    return found


def pending_creations(account_ids: Iterable[int]) -> dict[int, dict[ListKey, Pending]]:
    """For each account: what was sent to be made and not seen since."""
    found: dict[int, dict[ListKey, Pending]] = {account_id: {} for account_id in account_ids}
    for row in PendingCreation.objects.filter(account_id__in=list(found)).order_by():
        kind = Kind(row.kind)
        refs = frozenset(Ref(kind, key) for key in row.master_keys)
        found[row.account_id][kind, row.place] = Pending(refs, frozenset(row.before))
    return found


def fresh_mappings(account_ids: Iterable[int]) -> dict[int, frozenset[Ref]]:
    """For each account: what was mapped in the last seconds."""
    found: dict[int, set[Ref]] = {account_id: set() for account_id in account_ids}
    since = now() - timedelta(seconds=conf.FRESH)
    rows = IdMapping.objects.filter(account_id__in=list(found), created_at__gte=since).order_by()
    for account_id, kind, key in rows.values_list("account_id", "kind", "master_key"):
        found[account_id].add(Ref(Kind(kind), key))
    return {account_id: frozenset(refs) for account_id, refs in found.items()}


# -- snapshots of slaves --


def packed(snapshot: Snapshot) -> bytes:
    """As it is kept: a tenth of its JSON."""
    return zlib.compress(json.dumps(to_document(snapshot), separators=(",", ":")).encode())


def unpacked(document: bytes) -> Snapshot:
    """The inverse of `packed`."""
    return from_document(json.loads(zlib.decompress(document)))


def keep_snapshot(account_run_id: int, account_id: int, document: bytes) -> None:
    """The account before the first write of an account run: of several attempts, as the first one found it."""
    row = SlaveSnapshot(account_run_id=account_run_id, account_id=account_id, document=document)
    SlaveSnapshot.objects.bulk_create([row], ignore_conflicts=True)


# -- log --


def log(
    run_id: int, message: str, *, code: str = "", level: str = LogEntry.Level.INFO, account_run_id: int | None = None
) -> None:
    """One thing worth knowing about a run, or about one account's part of it."""
    LogEntry.objects.create(
        run_id=run_id, account_run_id=account_run_id, level=level, code=code[:30], message=clean(message)
    )
