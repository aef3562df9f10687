"""Request slots in the database: one pace for all threads, processes and machines, one connection per process."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connection, transaction

from accounts import clock
from accounts.batcher import Batcher
from accounts.kommo.pacing import LONGEST_HOLD, Key, Turn, held, next_turn
from accounts.models import RequestSlot

LONGEST_LEAD = 0.25
LONGEST_LINE = 600.0  # seconds until the last of all who stand in line: a hundred at a rate of one in six seconds


@dataclass(frozen=True)
class Ask:
    """A wish for the next slot that is free for all `keys` (see `pacing.Slots.take`)."""

    keys: tuple[Key, ...]
    earliest: float
    patience: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(key for key, _ in self.keys)


@dataclass(frozen=True)
class Hold:
    """A wish that nothing is sent under `key` for `seconds`."""

    key: str
    seconds: float

    @property
    def names(self) -> tuple[str, ...]:
        return (self.key,)


@dataclass(frozen=True)
class Row:
    """What is stored under a key, without what a clock that was set back has left in it."""

    next_at: float = 0.0
    held_until: float = 0.0

    @classmethod
    def sound(cls, now: float, next_at: float, held_until: float, written_at: float) -> "Row":
        if written_at > now + clock.SLACK.total_seconds():
            return cls()
        return cls(
            next_at if next_at <= now + LONGEST_LINE else 0.0, held_until if held_until <= now + LONGEST_HOLD else 0.0
        )

    def free_at(self, now: float, longest: float) -> float:
        """When the next slot is free; in the line of a key nobody stands longer than `longest` seconds."""
        return max(self.next_at if self.next_at <= now + longest else 0.0, self.held_until)


class Due(NamedTuple):
    """A slot by this process's monotonic clock."""

    at: float
    granted: bool


class _Clerk:
    """Serves a batch of wishes in one transaction; used by one thread only."""

    def __init__(self) -> None:
        self._lead = 0.0

    def serve(self, wishes: Sequence[Ask | Hold]) -> list[Due | BaseException]:
        """A slot per wish, in order. A transaction whose end is unknown is done again: it can only waste slots."""
        try:
            return self._serve(wishes)
        except (OperationalError, InterfaceError):
            connection.close()
            return self._serve(wishes)

    def _serve(self, wishes: Sequence[Ask | Hold]) -> list[Due | BaseException]:
        names = sorted({name for wish in wishes for name in wish.names})
        with transaction.atomic():
            stored = _locked_rows(names)
            now = clock.now().timestamp()  # taken when the rows are locked, not before
            read_at = time.monotonic()
            rows = {key: Row.sound(now, *values) for key, values in stored.items()}
            before = dict(rows)
            dues = [self._grant(wish, now, read_at, rows) for wish in wishes]
            _store({key: row for key, row in rows.items() if row is not before[key]}, now)
        self._note_lead(time.monotonic() - read_at)
        return list(dues)

    def _grant(self, wish: Ask | Hold, now: float, read_at: float, rows: dict[str, Row]) -> Due:
        """Puts what it changes into `rows`."""
        if isinstance(wish, Hold):
            row = rows[wish.key]
            rows[wish.key] = replace(row, held_until=held(now, row.held_until, wish.seconds))
            return Due(read_at, True)
        # A slot sooner than the commit takes would be past when the asker hears of it.
        lead = self._lead
        earliest = max(0.0, wish.earliest - lead)
        (own, step), *_ = wish.keys
        free = {key: rows[key].free_at(now, LONGEST_LINE) for key, _ in wish.keys}
        free[own] = rows[own].free_at(now, min(wish.patience, LONGEST_LINE) + lead + step)
        turn, moved = next_turn(now + lead, free, wish.keys, earliest, wish.patience)
        for key, at in moved.items():
            rows[key] = replace(rows[key], next_at=at)
        return Due(read_at + turn.wait + lead, turn.granted)

    def _note_lead(self, took: float) -> None:
        """How long the answer takes from the reading of the clock: the worst, slowly forgotten."""
        self._lead = min(LONGEST_LEAD, max(took * 1.5, self._lead * 0.9))


def _locked_rows(names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """The rows, locked in the order of their keys (SQLite: the IMMEDIATE transaction locks all); made if missing."""
    locked = RequestSlot.objects.select_for_update().filter(pk__in=names).order_by("pk")
    columns = locked.values_list("pk", "next_at", "held_until", "written_at")
    found = {key: tuple(times) for key, *times in columns}
    missing = [name for name in names if name not in found]
    if missing:
        RequestSlot.objects.bulk_create([RequestSlot(pk=name) for name in missing], ignore_conflicts=True)
        found = {key: tuple(times) for key, *times in columns.all()}
    return found


def _store(changed: dict[str, Row], now: float) -> None:
    if not changed:
        return
    RequestSlot.objects.bulk_create(
        [RequestSlot(pk=key, written_at=now, **vars(row)) for key, row in changed.items()],
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=["next_at", "held_until", "written_at"],
    )


_desk: Batcher[Ask | Hold, Due] = Batcher(_Clerk().serve, name="request-slots")


class SqlSlots:
    """`pacing.Slots` over the table of request slots; as many instances as you like share the one connection."""

    def take(self, keys: Sequence[Key], earliest: float = 0.0, patience: float = math.inf) -> Turn:
        due = _desk.call(Ask(tuple(keys), earliest, patience))
        return Turn(due.at - time.monotonic(), due.granted)

    def hold(self, key: str, seconds: float) -> None:
        _desk.call(Hold(key, seconds))


def close() -> None:
    """Ends the thread and its connection; the next request opens another."""
    _desk.close()
