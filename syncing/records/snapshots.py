"""Snapshots: masters as they were read, and slaves as they were before a run wrote to them."""

import json
import zlib

from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot, fingerprint, from_document, to_document
from syncing.models import MasterSnapshot, SlaveSnapshot
from syncing.records.text import clean


def packed(snapshot: Snapshot) -> bytes:
    """Returns the snapshot as it is stored: compressed to a tenth of its JSON."""
    return zlib.compress(json.dumps(to_document(snapshot), separators=(",", ":")).encode())


def unpacked(document: bytes) -> Snapshot:
    """Returns the snapshot that `packed` has compressed."""
    return from_document(json.loads(zlib.decompress(document)))


def store_snapshot(account_run_id: int, account_id: int, document: bytes) -> None:
    """Stores the account before the first write of an account run; of several attempts the first one's stays."""
    row = SlaveSnapshot(account_run_id=account_run_id, account_id=account_id, document=document)
    SlaveSnapshot.objects.bulk_create([row], ignore_conflicts=True)


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
