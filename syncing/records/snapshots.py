"""Snapshots: masters as they were read, and slaves as they were before a run wrote to them."""

from typing import Any

from syncing.engine.assumed import completed
from syncing.engine.delta import PartRead
from syncing.engine.refs import Kind, Scope
from syncing.engine.snapshot import Snapshot, fingerprint, packed, to_document, unpacked
from syncing.models import MasterSnapshot, SlaveSnapshot
from syncing.records.text import clean


def store_snapshot(account_run_id: int, account_id: int, document: bytes, part: PartRead | None = None) -> None:
    """Stores the account before the first write of an account run; of several attempts the first one's stays.

    What the first attempt has only assumed (all but `part`) is replaced when a later one has read the whole account: it
    was not written until then.
    """
    partial = SlaveSnapshot.objects.filter(pk=account_run_id, part__isnull=False).first() if part is None else None
    if partial is not None and (read := part_of(partial)):
        whole = completed(unpacked(bytes(partial.document)), read, unpacked(document))
        SlaveSnapshot.objects.filter(pk=account_run_id).update(document=packed(whole), part=None)
        return
    facts = {"document": document, "part": part and part_document(part)}
    row = SlaveSnapshot(account_run_id=account_run_id, account_id=account_id, **facts)
    SlaveSnapshot.objects.bulk_create([row], ignore_conflicts=True)


def part_document(part: PartRead) -> dict[str, list[Any]]:
    """Returns what was read of an account as plain JSON types."""
    return {"lists": sorted(map(list, part.lists)), "described": sorted(part.described)}


def part_of(row: SlaveSnapshot) -> PartRead | None:
    """Returns what was read of the account, by its own keys; None: all of it."""
    if row.part is None:
        return None
    lists = frozenset((Kind(kind), entity) for kind, entity in row.part["lists"])
    return PartRead(lists, frozenset(row.part["described"]))


def store_master(group_id: int, scope: Scope, master: Snapshot) -> MasterSnapshot:
    """Stores a master that the guard let pass, as it was read."""
    document, digest = clean(to_document(master)), fingerprint(master)
    return MasterSnapshot.objects.create(
        group_id=group_id, type=scope, document=document, fingerprint=digest, accepted=True
    )


def last_accepted(group_id: int, scope: Scope) -> MasterSnapshot | None:
    """Returns the latest reading that the guard let pass and that holds (at least) what this scope reads."""
    accepted = MasterSnapshot.objects.filter(group=group_id, type__in={scope, Scope.FULL}, accepted=True)
    return accepted.order_by("-pk").first()
