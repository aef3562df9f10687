"""Calls for lanes, sent to the queue; the reaper repeats those that got lost."""

from accounts.services import queue
from syncing.leases import processes

LANE = "syncing.tasks.lane"  # by name: tasks import services, not the reverse


def call_lanes() -> int:
    """Asks for the lanes that are missing, once the transaction is committed; gives their number.

    A broker that is down is logged, not raised: the reaper asks again.
    """
    missing = processes.lanes_missing()
    for _ in range(missing):
        queue.send(LANE)
    return missing


def call_lane() -> None:
    """Asks for one lane: the continuation of one whose slice is over."""
    queue.send(LANE)
