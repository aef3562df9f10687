"""One look at a master: the requests, without the database."""

from dataclasses import dataclass

from accounts.kommo.errors import KommoError
from accounts.kommo.retry import Policy
from accounts.kommo.stopping import Stop
from accounts.services.credentials.clients import client_for
from syncing.adapters.reader import Reader
from syncing.adapters.shapes import OddShape
from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot
from syncing.engine.watching import DESCRIPTIONS, FIELDS, GROUPS, collections_of, digest_of_descriptions
from syncing.execution.master_reading import MasterReading, ReadRequest, read
from syncing.records.text import error_document

FEW_REPEATS = Policy(attempts=3)  # the next look comes anyway


@dataclass(frozen=True)
class LookOrder:
    """An order to look: at one collection whose digest was `known`, or ("") at the whole master at once."""

    whole: ReadRequest
    collection: str = ""
    known: str = ""


@dataclass(frozen=True)
class Sighting:
    """The outcome of a look. `digest`: of the collection now; `reading`: of the whole master, if that was read."""

    kommo_id: int | None = None
    digest: str = ""
    reading: MasterReading | None = None
    error: dict[str, str] | None = None


def take_look(order: LookOrder, stop: Stop) -> Sighting:
    """Asks for one list of the master, which is one request unless it has pages; then for all if that list has moved.

    Where deletions may follow, all is what a run would read: some of it twice.
    """
    digest, kommo_id = "", None
    if order.collection:
        (master,) = order.whole.accounts
        try:
            with client_for(master, read_only=True, stop=stop, policy=FEW_REPEATS) as client:
                digest = _digest_now(Reader(client), order.collection, order.whole.scope)
                kommo_id = min(client.account_ids, default=None)
        except KommoError as error:
            return Sighting(error=error_document(error.code, str(error), error.remedy))
        if digest == order.known:
            return Sighting(kommo_id, digest)
    (reading,) = read(order.whole, stop)
    return Sighting(reading.kommo_id, digest, reading, reading.error)


def _digest_now(reader: Reader, collection: str, scope: Scope) -> str:
    """Reads one collection, and nothing else; returns its digest."""
    kind, _, of = collection.partition("/")
    if kind == DESCRIPTIONS:
        texts = reader.descriptions(int(of))
        return digest_of_descriptions(
            {stage: text for stage, text in texts.items() if stage is not None and not isinstance(text, OddShape)}
        )
    if kind == GROUPS:
        seen = Snapshot((), groups=reader.groups(of))
    elif kind == FIELDS:
        seen = Snapshot((), fields=reader.fields(of))
    else:
        seen = Snapshot(reader.pipelines())
    return collections_of(Snapshot(seen.pipelines, seen.groups, seen.fields, reader.held), scope)[collection]
