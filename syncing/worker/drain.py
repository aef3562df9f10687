"""The sign of a supervisor to its lanes that they end: it closes a pipe, or dies, which closes it as well."""

import os
import select
import threading

from syncing.execution.lanes import StopSign

VARIABLE = "KOMMOSYNC_DRAIN_FD"


class PipeSign:
    """Set as soon as nobody holds the pipe's other end any more; no lock that a killed process could keep."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def is_set(self) -> bool:
        readable, _, _ = select.select([self._fd], [], [], 0)
        return bool(readable)


def sign() -> StopSign:
    """Returns the sign of this process's supervisor; one that is never set without a supervisor."""
    fd = os.environ.get(VARIABLE)
    return PipeSign(int(fd)) if fd else threading.Event()
