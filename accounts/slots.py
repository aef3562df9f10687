"""Request slots in the database: one pace for all threads, processes and machines, one connection per process.

A process takes slots in blocks (`slot_blocks.py`), so that most requests ask nothing of the database; the rest is
reserved there in batches (`slot_reservation.py`).
"""

import math
import os
from collections.abc import Sequence

from accounts.batcher import Batcher
from accounts.kommo.pacing import Key, Turn
from accounts.slot_blocks import Blocks
from accounts.slot_reservation import BatchHandler, Due, HoldKey, ReadHolds, SlotRequest, TakeSlot


class ProcessSlots:
    """The slots of one process: its blocks, and the one thread that asks the database when they do not suffice."""

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._batcher: Batcher[SlotRequest, Due] = Batcher(BatchHandler(self._blocks).serve, name="request-slots")
        os.register_at_fork(after_in_child=self._blocks.forget)  # they are the parent's

    def take(self, request: TakeSlot) -> Turn:
        turn = self._blocks.take(request.keys, request.earliest, request.patience)
        if turn is not None:
            return turn
        due = self._batcher.call(request)
        return Turn(due.at - self._blocks.now(), due.granted)

    def hold(self, request: HoldKey) -> None:
        self._batcher.call(request)

    def is_held(self, names: Sequence[str], after: float) -> bool:
        is_held = self._blocks.is_held(names, after)
        if is_held is None:
            self._batcher.call(ReadHolds())
            is_held = self._blocks.is_held(names, after)
        return bool(is_held)

    def close(self) -> None:
        self._batcher.close()
        self._blocks.forget()


_own = ProcessSlots()


class SqlSlots:
    """`pacing.Slots` over the table of request slots; as many instances as you like share the one connection."""

    def __init__(self, process: ProcessSlots = _own) -> None:
        self._process = process

    def take(self, keys: Sequence[Key], earliest: float = 0.0, patience: float = math.inf) -> Turn:
        return self._process.take(TakeSlot(tuple(keys), earliest, patience))

    def hold(self, key: str, seconds: float) -> None:
        self._process.hold(HoldKey(key, seconds))

    def is_held(self, names: Sequence[str], after: float = 0.0) -> bool:
        return self._process.is_held(names, after)


def close() -> None:
    """Ends the thread and its connection; the next request opens another."""
    _own.close()
