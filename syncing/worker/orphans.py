"""No process of the queue outlives the one that started it: a killed main or sentinel would leave orphans at work."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def send_on_parent_death(number: signal.Signals) -> None:
    """Has the system send this process a signal when its parent dies (on Linux; elsewhere nothing happens)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, number)


class EndWithParent:
    """Makes this process, and every one that it forks, end with its parent (on Linux; elsewhere nothing happens)."""

    def __init__(self) -> None:
        self._parent = os.getppid()

    def install(self) -> None:
        self._end_with_parent()
        os.register_at_fork(before=self._remember_parent, after_in_child=self._end_with_parent)

    def _remember_parent(self) -> None:
        self._parent = os.getpid()

    def _end_with_parent(self) -> None:
        if _libc is None:
            return
        send_on_parent_death(signal.SIGKILL)
        if os.getppid() != self._parent:  # it died before we could ask
            os.kill(os.getpid(), signal.SIGKILL)
