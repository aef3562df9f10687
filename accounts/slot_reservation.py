"""Reserves slots in the database: many requests for slots in one transaction, from blocks or behind them."""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connection, transaction

from accounts import clock
from accounts.kommo.pacing import LONGEST_HOLD, Key, extend_hold, next_turn
from accounts.models import RequestSlot
from accounts.slot_blocks import BLOCK, Block, Blocks, keys_to_pace

LONGEST_LEAD = 0.25
LONGEST_LINE = 600.0  # seconds until the last of all who stand in line: a hundred at a rate of one in six seconds
COLUMNS = ("pk", "next_at", "held_until", "written_at")


@dataclass(frozen=True)
class TakeSlot:
    """Asks for the next slot that is free for all `keys` (see `pacing.Slots.take`)."""

    keys: tuple[Key, ...]
    earliest: float
    patience: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(key for key, _ in keys_to_pace(self.keys))


@dataclass(frozen=True)
class HoldKey:
    """Asks that nothing is sent under `key` for `seconds`."""

    key: str
    seconds: float

    @property
    def names(self) -> tuple[str, ...]:
        return (self.key,)


@dataclass(frozen=True)
class ReadHolds:
    """Asks which holds are in force."""

    names: tuple[str, ...] = ()


SlotRequest = TakeSlot | HoldKey | ReadHolds


@dataclass(frozen=True)
class SlotRow:
    """A stored row of one key, without what a clock that was set back has left in it."""

    next_at: float = 0.0
    held_until: float = 0.0

    @classmethod
    def of_columns(cls, now: float, next_at: float, held_until: float, written_at: float) -> "SlotRow":
        if written_at > now + clock.SLACK.total_seconds():
            return cls()
        return cls(
            next_at if next_at <= now + LONGEST_LINE else 0.0, held_until if held_until <= now + LONGEST_HOLD else 0.0
        )

    def free_at(self, now: float, longest: float) -> float:
        """Returns when the next slot is free; in the line of a key nobody stands longer than `longest` seconds."""
        return max(self.next_at if self.next_at <= now + longest else 0.0, self.held_until)


class Due(NamedTuple):
    """A slot by this process's monotonic clock."""

    at: float
    granted: bool


class Reservation:
    """Gives out slots in one transaction. All times are the database's; its rows are locked before `now` is read."""

    def __init__(self, names: Sequence[str], own: Blocks, lead: float) -> None:
        self.blocks = own.withdraw(names)
        stored = _locked_rows(names)
        self.now = clock.now().timestamp()
        self.read_at = own.now()
        self._ahead = self.now - self.read_at  # of the monotonic clock, by which blocks go
        self._lead = lead  # a slot sooner than the commit takes would be past when the asker hears of it
        self._before = {key: SlotRow.of_columns(self.now, *columns) for key, columns in stored.items()}
        self._rows = dict(self._before)
        held = RequestSlot.objects.filter(held_until__gt=self.now).values_list(*COLUMNS)
        ends = {key: SlotRow.of_columns(self.now, *columns).held_until for key, *columns in held}
        self._holds = {key: end for key, end in ends.items() if end}
        self._granted: Counter[Key] = Counter()  # slots from behind the end of the row's line
        for key, block in self.blocks.items():
            if stored[key][0] == block.stored:  # nobody stands behind it: what is unused is given back
                self._rows[key] = replace(self._rows[key], next_at=block.next_at + self._ahead)
                block.until = block.next_at

    def grant(self, request: SlotRequest) -> Due:
        """Returns the slot for one request; what it changes is stored by `store`."""
        if isinstance(request, HoldKey):
            row = self._rows[request.key]
            self._holds[request.key] = extend_hold(self.now, row.held_until, request.seconds)
            self._rows[request.key] = replace(row, held_until=self._holds[request.key])
        if not isinstance(request, TakeSlot):
            return Due(self.read_at, True)
        earliest = max(0.0, request.earliest - self._lead)
        while True:
            free, blocks = self._free_times(request)
            turn, moved = next_turn(self.now + self._lead, free, request.keys, earliest, request.patience)
            ends_before = [key for key in blocks if turn.granted and moved[key] > blocks[key].until + self._ahead]
            if not ends_before:
                break
            for key in ends_before:
                blocks[key].until = blocks[key].next_at  # too early for whoever asks: lost
        for key, step in keys_to_pace(request.keys) if turn.granted else ():
            if key in blocks:
                blocks[key].next_at = moved[key] - self._ahead
                blocks[key].taken += 1
            else:
                self._granted[key, step] += 1
                self._rows[key] = replace(self._rows[key], next_at=moved[key])
        return Due(self.read_at + turn.wait + self._lead, turn.granted)

    def _free_times(self, request: TakeSlot) -> tuple[dict[str, float], dict[str, Block]]:
        """Returns when each key's next slot is free, at the end of its line or in a block, and the blocks with room."""
        own, step = request.keys[0]
        longest = {own: min(request.patience, LONGEST_LINE) + self._lead + step + BLOCK}
        free = {key: self._holds.get(key, 0.0) for key, _ in request.keys}
        blocks: dict[str, Block] = {}
        for key in request.names:
            block = self.blocks.get(key)
            if block is None or block.is_used_up:
                free[key] = self._rows[key].free_at(self.now, longest.get(key, LONGEST_LINE))
            else:
                free[key] = max(block.next_at + self._ahead, free[key])
                blocks[key] = block
        return free, blocks

    def reserve_ahead(self) -> None:
        """Puts a block behind every line that slots were granted in, by what this process asked for until now."""
        for (key, step), granted in self._granted.items():
            begin = self._rows[key].next_at
            block = self.blocks.get(key)
            end = begin + step * (block.slots_ahead(granted, self.read_at) if block else 0)
            self._rows[key] = replace(self._rows[key], next_at=end)
            self.blocks[key] = Block(begin - self._ahead, end - self._ahead, end, step, self.read_at)

    def store(self) -> None:
        """Writes the rows that have changed."""
        changed = {key: row for key, row in self._rows.items() if row is not self._before[key]}
        if changed:
            RequestSlot.objects.bulk_create(
                [RequestSlot(pk=key, written_at=self.now, **vars(row)) for key, row in changed.items()],
                update_conflicts=True,
                unique_fields=["key"],
                update_fields=["next_at", "held_until", "written_at"],
            )

    def holds(self) -> dict[str, float]:
        """Returns the ends of all holds that are in force, by the monotonic clock."""
        return {key: until - self._ahead for key, until in self._holds.items()}


def _locked_rows(names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Returns the rows, made if missing, locked in the order of their keys.

    On SQLite the IMMEDIATE transaction locks all.
    """
    locked = RequestSlot.objects.select_for_update().filter(pk__in=names).order_by("pk")
    rows = locked.values_list(*COLUMNS)
    stored = {key: tuple(times) for key, *times in rows}
    missing = [name for name in names if name not in stored]
    if missing:
        RequestSlot.objects.bulk_create([RequestSlot(pk=name) for name in missing], ignore_conflicts=True)
        stored = {key: tuple(times) for key, *times in rows.all()}
    return stored


class BatchHandler:
    """Serves a batch of requests in one transaction; used by one thread only."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._lead = 0.0  # seconds from the reading of the clock to the answer: the worst, slowly forgotten

    def serve(self, requests: Sequence[SlotRequest]) -> list[Due | BaseException]:
        """Returns a slot per request, in order.

        A transaction whose end is unknown is done again: it can only waste slots.
        """
        try:
            return self._serve(requests)
        except (OperationalError, InterfaceError):
            connection.close()
            return self._serve(requests)

    def _serve(self, requests: Sequence[SlotRequest]) -> list[Due | BaseException]:
        names = sorted({name for request in requests for name in request.names})
        read_at = self._blocks.moment()
        with transaction.atomic() if names else nullcontext():
            reservation = Reservation(names, self._blocks, self._lead)
            dues = [reservation.grant(request) for request in requests]
            reservation.reserve_ahead()
            reservation.store()
        self._blocks.put(reservation.blocks, reservation.holds(), read_at)
        if names:
            took = self._blocks.now() - reservation.read_at
            self._lead = min(LONGEST_LEAD, max(took * 1.5, self._lead * 0.9))
        return list(dues)
