"""Request slots in the database: one pace for all threads, processes and machines, one connection per process."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connection, transaction

from accounts import clock
from accounts.batcher import Batcher
from accounts.kommo.pacing import Key, Turn, held, next_turn
from accounts.models import RequestSlot

LONGEST_LEAD = 0.25


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
            next_at = _locked_rows(names)
            now = clock.now().timestamp()  # taken when the rows are locked, not before
            read_at = time.monotonic()
            moved: dict[str, float] = {}
            dues = [self._grant(wish, now, read_at, next_at, moved) for wish in wishes]
            _store(moved)
        self._note_lead(time.monotonic() - read_at)
        return list(dues)

    def _grant(
        self,
        wish: Ask | Hold,
        now: float,
        read_at: float,
        next_at: dict[str, float],
        moved: dict[str, float],
    ) -> Due:
        if isinstance(wish, Hold):
            turn = Turn(0.0, True)
            changes = {wish.key: held(now, next_at[wish.key], wish.seconds)}
        else:
            # A slot sooner than the commit takes would be past when the asker hears of it.
            lead = self._lead
            earliest = max(0.0, wish.earliest - lead)
            turn, changes = next_turn(now + lead, next_at, wish.keys, earliest, wish.patience)
            turn = Turn(turn.wait + lead, turn.granted)
        next_at.update(changes)
        moved.update(changes)
        return Due(read_at + turn.wait, turn.granted)

    def _note_lead(self, took: float) -> None:
        """How long the answer takes from the reading of the clock: the worst, slowly forgotten."""
        self._lead = min(LONGEST_LEAD, max(took * 1.5, self._lead * 0.9))


def _locked_rows(names: Sequence[str]) -> dict[str, float]:
    """The rows, locked in the order of their keys (SQLite: the IMMEDIATE transaction locks all); made if missing."""
    rows = RequestSlot.objects.select_for_update().filter(pk__in=names).order_by("pk")
    found = dict(rows.values_list("pk", "next_at"))
    missing = [name for name in names if name not in found]
    if missing:
        RequestSlot.objects.bulk_create([RequestSlot(pk=name) for name in missing], ignore_conflicts=True)
        found = dict(rows.values_list("pk", "next_at"))
    return found


def _store(moved: dict[str, float]) -> None:
    if not moved:
        return
    RequestSlot.objects.bulk_create(
        [RequestSlot(pk=key, next_at=at) for key, at in moved.items()],
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=["next_at"],
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
