"""Batches: at most 50 items a request; a bad item costs only itself; a lost answer is looked up before repeating."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from accounts.kommo.errors import BadAnswer, KommoError, NetworkError, NotFound, RateLimited, ServerError, Validation
from accounts.kommo.retry import harmless_twice
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import BatchWriter, Entry
from syncing.adapters.chunk_queue import ChunkQueue
from syncing.adapters.endpoints import MAX_BATCH
from syncing.engine.sentences import gettext_noop

T = TypeVar("T")
GATEWAY_TIMEOUT = 504
MOST_PAUSES = 3
PART_ERRORS = (Validation, ServerError, NetworkError, BadAnswer)

UNKNOWN_CREATION = gettext_noop(
    "its answer was lost, and it cannot be told which of the new items it is, if any; it is not created again"
)


def create(entries: Sequence[Entry[T]], writer: BatchWriter[T]) -> None:
    """Posts all entries. Every one ends in `done` or `failed`; errors that concern the whole account are raised.

    After an unknown outcome `find_created` re-reads and what is there is adopted; only the rest is posted again, in
    halves, until a culprit stands alone and has failed twice. What may be there, though nobody can tell, has failed.
    What is not there after `settle` is posted again: a reading may lag behind a write, and Kommo may still be at it;
    after the first failure only it is looked for at once as well.
    """
    queue, looked = ChunkQueue(_chunks(entries)), False
    while chunk := queue.take():
        try:
            answers = writer.send([entry.body for entry in chunk])
        except Validation as error:
            queue.put_first(_after_refusal(chunk, error, writer.failed, writer.repair))
        except NotFound as error:
            if error.no_account:
                raise
            queue.put_first(_after_refusal(chunk, Validation(error.detail, status=error.status), writer.failed))
        except (ServerError, NetworkError, BadAnswer) as error:
            if not error.outcome_unknown:
                raise
            rest = _after_lost_creation(chunk, error, writer, at_once=not looked)
            looked = True
            queue.put_last(rest, size=_shrunk(chunk, error))
        else:
            writer.done(list(zip(chunk, answers, strict=True)))


def update(entries: Sequence[Entry[T]], writer: BatchWriter[T]) -> None:
    """Patches all entries, as `create` posts them.

    Where repeating is harmless the client has done so: a failed batch is halved. Where it is not (it makes options, and
    would make them twice), `check_updates` reads again after an unknown outcome, and only what is missing is sent. What
    is refused without a word about the part that is to blame is sent in parts.
    """
    queue, looked = ChunkQueue(_chunks(entries)), False
    while chunk := [writer.current(entry) for entry in queue.take()]:
        try:
            answers = writer.send([entry.body for entry in chunk])
        except Validation as error:
            queue.put_first(_after_refusal(chunk, error, partial(_part_by_part, writer), writer.repair))
        except NotFound as error:
            if error.no_account:
                raise
            queue.put_first(_after_failure(chunk, error, writer))
        except (ServerError, NetworkError, BadAnswer, RateLimited) as error:
            if writer.checks_updates and _is_out_of_date(chunk, error):
                rest = _after_lost_update(chunk, error, writer, at_once=not looked or not error.outcome_unknown)
                looked = True
                queue.put_last(rest, size=_shrunk(chunk, error))
            elif isinstance(error, ServerError) or (isinstance(error, NetworkError) and error.outcome_unknown):
                queue.put_last(_after_failure(chunk, error, writer), size=_shrunk(chunk, error))
            elif isinstance(error, BadAnswer):
                writer.done([(entry, {}) for entry in chunk])  # written or not: the re-reading tells
            else:
                raise
        else:
            writer.done(list(zip(chunk, answers, strict=True)))


def _chunks(entries: Sequence[Entry[T]]) -> list[list[Entry[T]]]:
    return [list(entries[start : start + MAX_BATCH]) for start in range(0, len(entries), MAX_BATCH)]


def _halves(chunk: list[Entry[T]]) -> list[list[Entry[T]]]:
    middle = (len(chunk) + 1) // 2
    return [half for half in (chunk[:middle], chunk[middle:]) if half]


def _shrunk(chunk: Sequence[Entry[T]], error: KommoError) -> int:
    """Returns how many items a batch may have after a gateway gave up on this one; 0: as many as before."""
    return (len(chunk) + 1) // 2 if error.status == GATEWAY_TIMEOUT else 0


def _is_out_of_date(chunk: Sequence[Entry[T]], error: KommoError) -> bool:
    """Tells if what was sent may be there by now, or something else after the long pause that Kommo asks for."""
    careful = not all(harmless_twice("PATCH", entry.body) for entry in chunk)
    return careful and (error.outcome_unknown or isinstance(error, RateLimited))


def _after_refusal(
    chunk: list[Entry[T]],
    error: Validation,
    failed: Callable[[Entry[T], KommoError], None],
    repair: Callable[[Entry[T], Validation], Entry[T] | None] = lambda entry, error: None,
) -> list[list[Entry[T]]]:
    """Takes out the entries that are named, else halves: nothing of the batch was written (docs/kommo.md 3)."""
    alone = len(chunk) == 1
    named = {int(item.request_id) for item in error.items if item.request_id and item.request_id.isdecimal()}
    culprits = {0} if alone else named & set(range(len(chunk)))
    if not culprits:
        return _halves(chunk)
    rest: list[Entry[T]] = []
    for index, entry in enumerate(chunk):
        if index not in culprits:
            rest.append(entry)
            continue
        own = error
        if items := tuple(item for item in error.items if alone or item.request_id == str(index)):
            own = Validation(
                "", items=items, account=error.account, method=error.method, path=error.path, status=error.status
            )
        repaired = repair(entry, own)
        if repaired is None:
            failed(entry, own)
        else:
            rest.append(repaired)
    return [rest] if rest else []


def _after_failure(chunk: list[Entry[T]], error: KommoError, writer: BatchWriter[T]) -> list[list[Entry[T]]]:
    if len(chunk) > 1:
        return _halves(chunk)
    writer.failed(chunk[0], error)
    return []


def _after_lost_creation(
    chunk: list[Entry[T]], error: KommoError, writer: BatchWriter[T], *, at_once: bool
) -> list[list[Entry[T]]]:
    """Adopts what is there; looks after a pause, with `at_once` also before, which may be enough."""
    created = writer.find_created(chunk) if at_once else {}
    if any(created.get(index) is None for index in range(len(chunk))):
        writer.settle()
        created = writer.find_created(chunk)
    if there := [(chunk[index], item) for index, item in created.items() if item is not None]:
        writer.done(there)
    for index, item in created.items():
        if item is None:
            writer.failed(chunk[index], BadAnswer(UNKNOWN_CREATION))
    return _repeat(chunk, [entry for index, entry in enumerate(chunk) if index not in created], error, writer)


def _after_lost_update(
    chunk: list[Entry[T]], error: KommoError, writer: BatchWriter[T], *, at_once: bool
) -> list[list[Entry[T]]]:
    """Looks for what was sent; what does not show yet is looked for again after a pause."""
    there, missing = writer.check_updates(chunk) if at_once else ((), chunk)
    if missing and error.outcome_unknown:
        writer.settle()
        there, missing = writer.check_updates(chunk)
    if there:
        writer.done(there)
    return _repeat(chunk, missing, error, writer)


def _repeat(
    chunk: list[Entry[T]], missing: Sequence[Entry[T]], error: KommoError, writer: BatchWriter[T]
) -> list[list[Entry[T]]]:
    """Returns what is missing of the chunk as the chunks to send; what has failed twice alone has failed."""
    rest = [replace(entry, repeats=entry.repeats + 1) for entry in missing]
    if rest and isinstance(error, RateLimited):
        if rest[0].repeats > MOST_PAUSES:
            raise error
        return [rest]
    if len(chunk) == 1 and rest and rest[0].repeats > 1:
        writer.failed(rest[0], error)
        return []
    return _halves(rest)


def _part_by_part(writer: BatchWriter[T], entry: Entry[T], error: KommoError) -> None:
    """Sends each part alone of an entry that was refused whole, if it has several."""
    parts = writer.split(entry, error)
    refused, left_out, answer = list(entry.refused), set(entry.left_out), None
    for name, make_body in parts.items() if len(parts) > 1 else ():
        try:
            answer = _send_part(writer, replace(entry, body=make_body(), guesses=0))
        except PART_ERRORS as problem:
            if isinstance(problem, NetworkError) and not problem.outcome_unknown:
                raise
            refused.append(f"{name}: {problem}.")
            left_out |= {name} if isinstance(problem, Validation) else set()
    entry = replace(entry, left_out=frozenset(left_out))
    if answer is None:
        writer.failed(replace(entry, refused=entry.refused or tuple(f"{name}." for name in parts)), error)
    else:
        writer.done([(replace(entry, refused=tuple(refused)), answer)])


def _send_part(writer: BatchWriter[T], part: Entry[T]) -> Json:
    """Sends one part, once more without what was refused of it."""
    try:
        return writer.send([part.body])[0]
    except Validation as error:
        repaired = writer.repair(part, error)
        if repaired is None:
            raise
        return writer.send([repaired.body])[0]
