"""Batches: at most 50 items a request; a bad item costs only itself; a lost answer is looked up before repeating."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from accounts.kommo.errors import BadAnswer, KommoError, NetworkError, NotFound, RateLimited, ServerError, Validation
from accounts.kommo.retry import harmless_twice
from syncing.adapters.api import Json
from syncing.adapters.chunk_queue import ChunkQueue
from syncing.adapters.endpoints import MAX_BATCH

T = TypeVar("T")
GATEWAY_TIMEOUT = 504
MOST_PAUSES = 3
PIECE_ERRORS = (Validation, ServerError, NetworkError, BadAnswer)


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One item of a batch: what it stands for and its body."""

    subject: T
    body: Json
    repeats: int = 0  # after lost answers
    guesses: int = 0  # repairs without a complaint that says what to leave out
    whole: Json | None = None  # the body before them
    refused: tuple[str, ...] = ()  # the optional parts that Kommo refused, in words
    left_out: frozenset[str] = frozenset()  # the options among them, as `repairs.option_name` calls them


Send = Callable[[list[Json]], Sequence[Json]]  # bodies -> the answered items, aligned; raises KommoError
# After a lost answer: index in the chunk -> its item; None: it may be there, nobody can tell.
Find = Callable[[Sequence[Entry[T]]], Mapping[int, Json | None]]
Repair = Callable[[Entry[T], Validation], Entry[T] | None]
Settle = Callable[[], None]
Answered = tuple[Entry[T], Json]
Done = Callable[[Sequence[Answered[T]]], None]
Failed = Callable[[Entry[T], KommoError], None]
# After a lost answer to a PATCH: what is there now as it was said, and what is still to be said, under today's ids.
UpdateCheck = tuple[Sequence[Answered[T]], Sequence[Entry[T]]]
CheckUpdates = Callable[[Sequence[Entry[T]]], UpdateCheck[T]]
# What a PATCH says, in words -> that piece of its body, made when it is its turn; none where the refusal says more.
Pieces = Mapping[str, Callable[[], Json]]
Parts = Callable[[Entry[T], KommoError], Pieces]

UNTOLD = "its answer was lost, and it cannot be told which of the new items it is, if any; it is not made again"


def create(
    entries: Sequence[Entry[T]], send: Send, find: Find[T], done: Done[T], failed: Failed[T],
    settle: Settle, repair: Repair[T] | None = None,
) -> None:  # fmt: skip
    """POST all entries. Every one ends in `done` or `failed`; errors that concern the whole account are raised.

    After an unknown outcome `find` re-reads and what is there is adopted; only the rest is posted again, in halves,
    until a culprit stands alone and has failed twice. What may be there, though nobody can tell, has failed. What is
    not there after `settle` is posted again: a reading may lag behind a write, and Kommo may still be at it; after the
    first failure only it is looked for at once as well. `repair` may give an entry without its refused part.
    """
    waiting, looked = ChunkQueue(_chunks(entries)), False
    while chunk := waiting.take():
        try:
            answers = send([entry.body for entry in chunk])
        except Validation as error:
            waiting.at_once(_after_refusal(chunk, error, failed, repair))
        except NotFound as error:
            if error.no_account:
                raise
            waiting.at_once(_after_refusal(chunk, Validation(error.detail, status=error.status), failed, None))
        except (ServerError, NetworkError, BadAnswer) as error:
            if not error.outcome_unknown:
                raise
            rest = _after_lost_answer(chunk, error, _patiently(find, settle, at_once=not looked), done, failed)
            looked = True
            waiting.after_neighbours(rest, size=_shrunk(chunk, error))
        else:
            done(list(zip(chunk, answers, strict=True)))


def update(
    entries: Sequence[Entry[T]], send: Send, done: Done[T], failed: Failed[T], settle: Settle,
    repair: Repair[T] | None = None, look: CheckUpdates[T] | None = None, parts: Parts[T] | None = None,
    current: Callable[[Entry[T]], Entry[T]] = lambda entry: entry,
) -> None:  # fmt: skip
    """PATCH all entries; as `create`. Where repeating is harmless the client has done so: a failed batch is halved.

    Where it is not (it makes options, and would make them twice), `look` reads again after an unknown outcome, and
    only what is missing is sent, with the ids that are there now. What is refused without a word about the part
    that is to blame is sent in `parts`. `current`: an entry as it is to be said when its turn comes.
    """
    waiting, looked = ChunkQueue(_chunks(entries)), False
    while chunk := [current(entry) for entry in waiting.take()]:
        try:
            answers = send([entry.body for entry in chunk])
        except Validation as error:
            alone = partial(_part_by_part, send=send, done=done, failed=failed, parts=parts, repair=repair)
            waiting.at_once(_after_refusal(chunk, error, alone, repair))
        except NotFound as error:
            if error.no_account:
                raise
            waiting.at_once(_after_failure(chunk, error, failed))
        except (ServerError, NetworkError, BadAnswer, RateLimited) as error:
            if look is not None and _is_out_of_date(chunk, error):
                at_once = not looked or not error.outcome_unknown
                rest = _after_lost_update(chunk, error, look, done, failed, settle, at_once=at_once)
                looked = True
                waiting.after_neighbours(rest, size=_shrunk(chunk, error))
            elif isinstance(error, ServerError) or (isinstance(error, NetworkError) and error.outcome_unknown):
                waiting.after_neighbours(_after_failure(chunk, error, failed), size=_shrunk(chunk, error))
            elif isinstance(error, BadAnswer):
                done([(entry, {}) for entry in chunk])  # written or not: the re-reading tells
            else:
                raise
        else:
            done(list(zip(chunk, answers, strict=True)))


def _shrunk(chunk: Sequence[Entry[T]], error: KommoError) -> int:
    """How many items a batch may have from now on, after a gateway gave up on this one; 0: as many as before."""
    return (len(chunk) + 1) // 2 if error.status == GATEWAY_TIMEOUT else 0


def _is_out_of_date(chunk: Sequence[Entry[T]], error: KommoError) -> bool:
    """What was sent may be there by now, or, after the long pause that Kommo asks for, something else."""
    careful = not all(harmless_twice("PATCH", entry.body) for entry in chunk)
    return careful and (error.outcome_unknown or isinstance(error, RateLimited))


def _after_failure(chunk: list[Entry[T]], error: KommoError, failed: Failed[T]) -> list[list[Entry[T]]]:
    if len(chunk) > 1:
        return _halves(chunk)
    failed(chunk[0], error)
    return []


def _after_lost_update(
    chunk: list[Entry[T]],
    error: KommoError,
    look: CheckUpdates[T],
    done: Done[T],
    failed: Failed[T],
    settle: Settle,
    *,
    at_once: bool,
) -> list[list[Entry[T]]]:
    """What does not show yet is looked for again after `settle` (as in `create`)."""
    there, missing = look(chunk) if at_once else ((), chunk)
    if missing and error.outcome_unknown:
        settle()
        there, missing = look(chunk)
    if there:
        done(there)
    rest = [replace(entry, repeats=entry.repeats + 1) for entry in missing]
    if rest and isinstance(error, RateLimited):
        if rest[0].repeats > MOST_PAUSES:
            raise error
        return [rest]
    if len(chunk) == 1 and rest and rest[0].repeats > 1:
        failed(rest[0], error)
        return []
    return _halves(rest)


def _part_by_part(
    entry: Entry[T], error: KommoError, *, send: Send, done: Done[T], failed: Failed[T], parts: Parts[T] | None,
    repair: Repair[T] | None,
) -> None:  # fmt: skip
    """One entry that was refused whole: each part of it alone, if it has several."""
    pieces = parts(entry, error) if parts is not None else {}
    refused, left_out, answer = list(entry.refused), set(entry.left_out), None
    for name, piece in pieces.items() if len(pieces) > 1 else ():
        try:
            answer = _send_piece(replace(entry, body=piece(), guesses=0), send, repair)
        except PIECE_ERRORS as problem:
            if isinstance(problem, NetworkError) and not problem.outcome_unknown:
                raise
            refused.append(f"{name}: {problem}.")
            left_out |= {name} if isinstance(problem, Validation) else set()
    entry = replace(entry, left_out=frozenset(left_out))
    if answer is None:
        failed(replace(entry, refused=entry.refused or tuple(f"{name}." for name in pieces)), error)
    else:
        done([(replace(entry, refused=tuple(refused)), answer)])


def _send_piece(piece: Entry[T], send: Send, repair: Repair[T] | None) -> Json:
    try:
        return send([piece.body])[0]
    except Validation as error:
        repaired = repair(piece, error) if repair else None
        if repaired is None:
            raise
        return send([repaired.body])[0]


def _chunks(entries: Sequence[Entry[T]]) -> list[list[Entry[T]]]:
    return [list(entries[start : start + MAX_BATCH]) for start in range(0, len(entries), MAX_BATCH)]


def _halves(chunk: list[Entry[T]]) -> list[list[Entry[T]]]:
    middle = (len(chunk) + 1) // 2
    return [half for half in (chunk[:middle], chunk[middle:]) if half]


def _after_refusal(
    chunk: list[Entry[T]], error: Validation, failed: Failed[T], repair: Repair[T] | None
) -> list[list[Entry[T]]]:
    """Nothing of the batch was written (docs/kommo.md 3). Take out who is named, else halve."""
    culprits = {int(item.request_id) for item in error.items if item.request_id and item.request_id.isdecimal()}
    culprits &= set(range(len(chunk)))
    if len(chunk) == 1:
        culprits = {0}
    if not culprits:
        return _halves(chunk)
    rest: list[Entry[T]] = []
    for index, entry in enumerate(chunk):
        if index not in culprits:
            rest.append(entry)
            continue
        own = _only(error, index, alone=len(chunk) == 1)
        repaired = repair(entry, own) if repair else None
        if repaired is None:
            failed(entry, own)
        else:
            rest.append(repaired)
    return [rest] if rest else []


def _only(error: Validation, index: int, *, alone: bool) -> Validation:
    """The same refusal with the complaints about one item."""
    items = tuple(item for item in error.items if alone or item.request_id == str(index))
    return Validation(
        "", items=items, account=error.account, method=error.method, path=error.path, status=error.status
    ) if items else error  # fmt: skip


def _patiently(find: Find[T], settle: Settle, *, at_once: bool) -> Find[T]:
    """`find` after a pause; with `at_once` also before, which may be enough."""

    def find_in_time(chunk: Sequence[Entry[T]]) -> Mapping[int, Json | None]:
        found = find(chunk) if at_once else {}
        if any(found.get(index) is None for index in range(len(chunk))):
            settle()
            found = find(chunk)
        return found

    return find_in_time


def _after_lost_answer(
    chunk: list[Entry[T]], error: KommoError, find: Find[T], done: Done[T], failed: Failed[T]
) -> list[list[Entry[T]]]:
    found = find(chunk)
    if there := [(chunk[index], item) for index, item in found.items() if item is not None]:
        done(there)
    for index, item in found.items():
        if item is None:
            failed(chunk[index], BadAnswer(UNTOLD))
    rest = [replace(entry, repeats=entry.repeats + 1) for index, entry in enumerate(chunk) if index not in found]
    if len(chunk) == 1 and rest and rest[0].repeats > 1:
        failed(rest[0], error)
        return []
    return _halves(rest)
