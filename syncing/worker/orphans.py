"""No process of the queue outlives the one that started it: a killed main or sentinel would leave orphans at work."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
ON_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if ON_LINUX else None


class Lineage:
    """Makes this process, and every one that it forks, end with its parent (on Linux; elsewhere nothing happens)."""

    def __init__(self) -> None:
        self._parent = os.getppid()

    def install(self) -> None:
        self._end_with_parent()
        os.register_at_fork(before=self._about_to_fork, after_in_child=self._end_with_parent)

    def _about_to_fork(self) -> None:
        self._parent = os.getpid()

    def _end_with_parent(self) -> None:
        if _libc is None:
            return
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._parent:  # it died before we could ask
            os.kill(os.getpid(), signal.SIGKILL)
