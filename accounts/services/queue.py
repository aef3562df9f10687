"""Sends messages to the workers. They only say "there is work" and carry ids: lost or doubled, they do no harm."""

import logging
from functools import partial

from django.db import DatabaseError, transaction
from django_q.tasks import async_task
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def send(task: str, *arguments: object) -> None:
    """Asks the workers for `task` (by its dotted name), once the transaction is committed.

    A broker that is down is logged, not raised: whoever repairs the work sends again.
    """
    transaction.on_commit(partial(_send, task, arguments))


def _send(task: str, arguments: tuple[object, ...]) -> None:
    try:
        async_task(task, *arguments)
    except (DatabaseError, RedisError) as error:
        logger.error("the queue did not take a message (%s); it is sent again later", type(error).__name__)
