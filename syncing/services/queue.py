"""Messages to the workers. They only say "there is work": lost or doubled, they do no harm."""

from functools import partial

from django.db import transaction
from django_q.tasks import async_task

from syncing.services import presence

LANE = "syncing.tasks.lane"  # by name: tasks import services, not the reverse


def call_lanes() -> int:
    """Asks for the lanes that are missing, once the transaction is committed; gives their number.

    A broker that is down is logged, not raised: the reaper asks again.
    """
    missing = presence.lanes_missing()
    for _ in range(missing):
        transaction.on_commit(partial(async_task, LANE), robust=True)
    return missing


def call_lane() -> None:
    """Asks for one lane: the continuation of one whose slice is over."""
    transaction.on_commit(partial(async_task, LANE), robust=True)
