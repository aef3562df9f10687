"""Databases of a Redis server, each for one test at a time: of all test runs on this machine."""

import fcntl
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import redis

DATABASES = 16  # as Redis has them, unless it is told otherwise


@contextmanager
def redis_database(server: str) -> Iterator[str]:
    """Waits for a database that no other test uses and yields its URL; it is empty before and after.

    `server`: the URL of the first database that tests may use.
    """
    base, _, first = server.rpartition("/")
    with ExitStack() as stack:
        locks = {number: stack.enter_context(open(_lock_file(number), "a")) for number in range(int(first), DATABASES)}
        while (ours := next((number for number, lock in locks.items() if _is_taken_by_us(lock)), None)) is None:
            time.sleep(0.1)
        with redis.Redis.from_url(f"{base}/{ours}") as client:
            client.flushdb()
            yield f"{base}/{ours}"
            client.flushdb()


def _lock_file(number: int) -> Path:
    return Path(tempfile.gettempdir(), f"kommosync-test-redis-{number}.lock")


def _is_taken_by_us(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
