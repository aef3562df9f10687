"""Messages to the workers. They only say "there is work": lost or doubled, they do no harm."""

import logging

from django.db import DatabaseError, transaction
from django_q.tasks import async_task
from redis.exceptions import RedisError

from syncing.services import presence

logger = logging.getLogger(__name__)

LANE = "syncing.tasks.lane"  # by name: tasks import services, not the reverse


def call_lanes() -> int:
    """Asks for the lanes that are missing, once the transaction is committed; gives their number.

    A broker that is down is logged, not raised: the reaper asks again.
    """
    missing = presence.lanes_missing()
    for _ in range(missing):
        transaction.on_commit(_send)
    return missing


def call_lane() -> None:
    """Asks for one lane: the continuation of one whose slice is over."""
    transaction.on_commit(_send)


def _send() -> None:
    try:
        async_task(LANE)
    except (DatabaseError, RedisError) as error:
        logger.error("the queue did not take a message (%s); the reaper asks again", type(error).__name__)
