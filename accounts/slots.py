"""Request slots in the database: one pace for all threads, processes and machines, one connection per process.

A process takes slots in blocks (`slot_blocks.py`), so that most requests ask nothing of the database.
"""

import math
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connection, transaction

from accounts import clock
from accounts.batcher import Batcher
from accounts.kommo.pacing import LONGEST_HOLD, Key, Turn, extend_hold, next_turn
from accounts.models import RequestSlot
from accounts.slot_blocks import BLOCK, Block, Blocks, keys_to_pace

COLUMNS = ("pk", "next_at", "held_until", "written_at")
LONGEST_LEAD = 0.25
LONGEST_LINE = 600.0  # seconds until the last of all who stand in line: a hundred at a rate of one in six seconds


@dataclass(frozen=True)
class TakeSlot:
    """A wish for the next slot that is free for all `keys` (see `pacing.Slots.take`)."""

    keys: tuple[Key, ...]
    earliest: float
    patience: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(key for key, _ in keys_to_pace(self.keys))


@dataclass(frozen=True)
class HoldKey:
    """A wish that nothing is sent under `key` for `seconds`."""

    key: str
    seconds: float

    @property
    def names(self) -> tuple[str, ...]:
        return (self.key,)


@dataclass(frozen=True)
class ReadHolds:
    """A wish to know which holds are in force."""

    names: tuple[str, ...] = ()


SlotRequest = TakeSlot | HoldKey | ReadHolds


@dataclass(frozen=True)
class SlotRow:
    """A stored row of one key, without what a clock that was set back has left in it."""

    next_at: float = 0.0
    held_until: float = 0.0

    @classmethod
    def sound(cls, now: float, next_at: float, held_until: float, written_at: float) -> "SlotRow":
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


class _Reservation:
    """Gives out slots in one transaction. All times are the database's; its rows are locked before `now` is read."""

    def __init__(self, names: Sequence[str], own: Blocks, lead: float) -> None:
        self.blocks = own.withdraw(names)
        stored = _locked_rows(names)
        self.now = clock.now().timestamp()
        self.read_at = own.now()
        self._ahead = self.now - self.read_at  # of the monotonic clock, by which blocks go
        self._lead = lead  # a slot sooner than the commit takes would be past when the asker hears of it
        self._before = {key: SlotRow.sound(self.now, *values) for key, values in stored.items()}
        self._rows = dict(self._before)
        held = RequestSlot.objects.filter(held_until__gt=self.now)  # all pauses that Kommo asked for, of whatever key
        holds = {key: SlotRow.sound(self.now, *times).held_until for key, *times in held.values_list(*COLUMNS)}
        self._holds = {key: until for key, until in holds.items() if until}
        self._granted: Counter[Key] = Counter()  # slots from behind the end of the row's line
        for key, block in self.blocks.items():
            if stored[key][0] == block.stored:  # nobody stands behind it: what is unused is given back
                self._rows[key] = replace(self._rows[key], next_at=block.next_at + self._ahead)
                block.until = block.next_at

    def grant(self, wish: SlotRequest) -> Due:
        """Returns the slot for one wish; what it changes is stored by `store`."""
        if isinstance(wish, ReadHolds):
            return Due(self.read_at, True)
        if isinstance(wish, HoldKey):
            row = self._rows[wish.key]
            self._holds[wish.key] = extend_hold(self.now, row.held_until, wish.seconds)
            self._rows[wish.key] = replace(row, held_until=self._holds[wish.key])
            return Due(self.read_at, True)
        while True:
            earliest = max(0.0, wish.earliest - self._lead)
            turn, moved = next_turn(self.now + self._lead, self._free(wish), wish.keys, earliest, wish.patience)
            blocks = {key: block for key in wish.names if (block := self._block_with_room(key)) is not None}
            left_behind = [
                block for key, block in blocks.items() if turn.granted and moved[key] > block.until + self._ahead
            ]
            if not left_behind:
                break
            for block in left_behind:
                block.until = block.next_at  # too early for whoever asks: lost
        for key, step in keys_to_pace(wish.keys) if turn.granted else ():
            if key in blocks:
                blocks[key].next_at = moved[key] - self._ahead
                blocks[key].taken += 1
            else:
                self._granted[key, step] += 1
                self._rows[key] = replace(self._rows[key], next_at=moved[key])
        return Due(self.read_at + turn.wait + self._lead, turn.granted)

    def _free(self, wish: TakeSlot) -> dict[str, float]:
        """Returns when the next slot of each key is free: in what is left of a block, or at the end of the line."""
        own, step = wish.keys[0]
        longest = {own: min(wish.patience, LONGEST_LINE) + self._lead + step + BLOCK}
        free = {key: self._holds.get(key, 0.0) for key, _ in wish.keys}
        for key in wish.names:
            in_line = self._rows[key].free_at(self.now, longest.get(key, LONGEST_LINE))
            block = self._block_with_room(key)
            free[key] = in_line if block is None else max(block.next_at + self._ahead, free[key])
        return free

    def _block_with_room(self, key: str) -> Block | None:
        block = self.blocks.get(key)
        return None if block is None or block.is_used_up else block

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


class BatchHandler:
    """Serves a batch of wishes in one transaction; used by one thread only."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._lead = 0.0  # seconds from the reading of the clock to the answer: the worst, slowly forgotten

    def serve(self, wishes: Sequence[SlotRequest]) -> list[Due | BaseException]:
        """Returns a slot per wish, in order.

        A transaction whose end is unknown is done again: it can only waste slots.
        """
        try:
            return self._serve(wishes)
        except (OperationalError, InterfaceError):
            connection.close()
            return self._serve(wishes)

    def _serve(self, wishes: Sequence[SlotRequest]) -> list[Due | BaseException]:
        names = sorted({name for wish in wishes for name in wish.names})
        read_at = self._blocks.moment()
        with transaction.atomic() if names else nullcontext():
            reservation = _Reservation(names, self._blocks, self._lead)
            dues = [reservation.grant(wish) for wish in wishes]
            reservation.reserve_ahead()
            reservation.store()
        self._blocks.put(reservation.blocks, reservation.holds(), read_at)
        if names:
            took = self._blocks.now() - reservation.read_at
            self._lead = min(LONGEST_LEAD, max(took * 1.5, self._lead * 0.9))
        return list(dues)


def _locked_rows(names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Returns the rows, made if missing, locked in the order of their keys.

    On SQLite the IMMEDIATE transaction locks all.
    """
    locked = RequestSlot.objects.select_for_update().filter(pk__in=names).order_by("pk")
    columns = locked.values_list(*COLUMNS)
    found = {key: tuple(times) for key, *times in columns}
    missing = [name for name in names if name not in found]
    if missing:
        RequestSlot.objects.bulk_create([RequestSlot(pk=name) for name in missing], ignore_conflicts=True)
        found = {key: tuple(times) for key, *times in columns.all()}
    return found


class ProcessSlots:
    """The slots of one process: its blocks, and the one thread that asks the database when they do not suffice."""

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._batcher: Batcher[SlotRequest, Due] = Batcher(BatchHandler(self._blocks).serve, name="request-slots")
        os.register_at_fork(after_in_child=self._blocks.forget)  # they are the parent's

    def take(self, ask: TakeSlot) -> Turn:
        turn = self._blocks.take(ask.keys, ask.earliest, ask.patience)
        if turn is not None:
            return turn
        due = self._batcher.call(ask)
        return Turn(due.at - self._blocks.now(), due.granted)

    def hold(self, hold: HoldKey) -> None:
        self._batcher.call(hold)

    def is_held(self, names: Sequence[str], after: float) -> bool:
        is_held = self._blocks.is_held(names, after)
        if is_held is None:
            self._batcher.call(ReadHolds())
            is_held = self._blocks.is_held(names, after)
        return bool(is_held)

    def close(self) -> None:
        self._batcher.close()
        self._blocks.forget()


_desk = ProcessSlots()


class SqlSlots:
    """`pacing.Slots` over the table of request slots; as many instances as you like share the one connection."""

    def __init__(self, desk: ProcessSlots = _desk) -> None:
        self._desk = desk

    def take(self, keys: Sequence[Key], earliest: float = 0.0, patience: float = math.inf) -> Turn:
        return self._desk.take(TakeSlot(tuple(keys), earliest, patience))

    def hold(self, key: str, seconds: float) -> None:
        self._desk.hold(HoldKey(key, seconds))

    def is_held(self, names: Sequence[str], after: float = 0.0) -> bool:
        return self._desk.is_held(names, after)


def close() -> None:
    """Ends the thread and its connection; the next request opens another."""
    _desk.close()
