"""Memory and CPU time of processes and their children, read from /proc (Linux; elsewhere both are 0)."""

import os
import threading
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
EVERY = 0.5  # seconds


def family(roots: Iterable[int]) -> set[int]:
    """The processes `roots` and all their descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid in _all_pids():
        fields = _stat(pid)
        if fields:
            children[int(fields[1])].append(pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children[pid])
    return found


def memory(pids: Iterable[int]) -> dict[int, float]:
    """MB by process; a page that several share counts in parts, once in all (PSS)."""
    return {pid: _pss_kb(pid) / 1024 for pid in pids}


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of the processes and their descendants, also of those that have ended."""
    total = 0
    for pid in family(roots):
        fields = _stat(pid)
        if fields:
            total += sum(map(int, fields[11:15]))  # utime, stime, and those of children waited for
    return total / TICKS


def _all_pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir(PROC) if name.isdigit()]
    except OSError:
        return []


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the command's name: state, parent, ..."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _pss_kb(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


class Sampler:
    """Watches some processes and their descendants while a `with` lasts.

    `peak` is the most memory (MB) that they had together, `own_peak` the same without the processes `apart`.
    """

    def __init__(self, roots: Iterable[int], apart: Iterable[int] = ()) -> None:
        self.roots = list(roots)
        self.apart = set(apart)
        self.peak = self.own_peak = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(EVERY):
            used = memory(family(self.roots))
            self.peak = max(self.peak, sum(used.values()))
            self.own_peak = max(self.own_peak, sum(mb for pid, mb in used.items() if pid not in self.apart))
