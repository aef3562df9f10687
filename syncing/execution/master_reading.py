"""Reading the master for a run, and for a promotion the slave it takes from: requests only, no database."""

from dataclasses import dataclass

from django.utils.translation import gettext_noop

from accounts.kommo.errors import BadAnswer, KommoError
from accounts.kommo.stopping import Stop
from accounts.models import Account
from accounts.services.credentials.clients import client_for
from syncing.adapters.existence import item_exists
from syncing.adapters.reader import ALL_PIPELINES, NO_PIPELINES, Reader
from syncing.engine.refs import Ref, Scope, parent_of
from syncing.engine.snapshot import Snapshot, fingerprint, refs_in
from syncing.leases.claims import MasterClaim
from syncing.records.text import error_document

CONTRADICTED = gettext_noop("a second reading, which is required before deletions, gave another answer")
HIDDEN = gettext_noop("its list does not show an item that exists when it is requested by itself")


@dataclass(frozen=True)
class MasterReading:
    """The outcome of reading an account: a snapshot, or an error (code, message, remedy)."""

    requests: int
    kommo_id: int | None = None
    snapshot: Snapshot | None = None
    error: dict[str, str] | None = None


@dataclass(frozen=True)
class ReadRequest:
    """An order to read for a run: the master; for a promotion the slave whose items it brings, then the master.

    `deletes`: the policy deletes what the master does not have, so what is missing must be sure; `before` is then the
    last accepted reading, None for the first one.
    """

    accounts: tuple[Account, ...]
    scope: Scope
    deletes: bool = False
    before: Snapshot | None = None


@dataclass(frozen=True)
class MasterTask:
    """A request at work."""

    claim: MasterClaim
    request: ReadRequest
    stop: Stop


def read(request: ReadRequest, stop: Stop) -> list[MasterReading]:
    """Asks the accounts of the request one after the other, through read-only clients; ends with the first error."""
    readings: list[MasterReading] = []
    for account in request.accounts:
        requests = 0
        try:
            with client_for(account, read_only=True, stop=stop) as client:
                try:
                    snapshot = _read_surely(Reader(client), request)
                finally:
                    requests = client.requests
        except KommoError as error:
            failure = error_document(error.code, str(error), error.remedy)
            return [*readings, MasterReading(requests, error=failure)]
        readings.append(MasterReading(requests, min(client.account_ids, default=None), snapshot))
    return readings


def _read_surely(reader: Reader, request: ReadRequest) -> Snapshot:
    """Reads the list again where deletions may follow from what is missing, and asks for what is gone by itself.

    There is nothing to compare the first reading with, so that one is always read twice.
    """
    snapshot = _read_once(reader, request.scope)
    if not request.deletes:
        return snapshot
    missing = [] if request.before is None else _missing(snapshot, request.before)
    if request.before is not None and not missing:
        return snapshot
    if fingerprint(_read_once(reader, request.scope)) != fingerprint(snapshot):
        raise BadAnswer(CONTRADICTED, account=reader.client.account)
    for ref in missing:
        if item_exists(reader.client, ref):
            raise BadAnswer(f"{HIDDEN}: {ref}", account=reader.client.account)
    return snapshot


def _read_once(reader: Reader, scope: Scope) -> Snapshot:
    return reader.read(
        with_fields=scope.writes_fields, described=ALL_PIPELINES if scope.writes_pipelines else NO_PIPELINES
    )


def _missing(snapshot: Snapshot, before: Snapshot) -> list[Ref]:
    """Returns what is gone, but not what was inside of something that is gone, nor what was not read this time.

    Items that are held back are there.
    """
    groups = None if snapshot.groups is None else before.groups
    fields = None if snapshot.fields is None else before.fields
    here = set(refs_in(snapshot))
    gone = [
        ref
        for ref in refs_in(Snapshot(before.pipelines, groups, fields))
        if ref not in here and not snapshot.hides(ref)
    ]
    return [ref for ref in gone if (parent := parent_of(ref)) is None or parent in here]
