"""Reads memory and CPU time of processes and their children from /proc (Linux; elsewhere both are 0)."""

import contextlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
EVERY = 0.5  # seconds
IDLE = 0.02  # seconds of CPU in `EVERY` seconds that a process that waits may take
BUSY = 0.1  # share of the machine's CPU that others may take before they count


def family(roots: Iterable[int]) -> set[int]:
    """Returns the processes `roots` and all their descendants."""
    try:
        pids = [int(name) for name in os.listdir(PROC) if name.isdigit()]
    except OSError:
        pids = []
    children: dict[int, list[int]] = defaultdict(list)
    for pid in pids:
        fields = _stat(pid)
        if fields:
            children[int(fields[1])].append(pid)
    members: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in members:
            members.add(pid)
            waiting.extend(children[pid])
    return members


def memory(pids: Iterable[int]) -> dict[int, float]:
    """Returns the MB of each process; a page that several share counts in parts, once in all (PSS)."""
    used = {}
    for pid in pids:
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            lines = []
        used[pid] = next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1024
    return used


def cpu_seconds(roots: Iterable[int]) -> float:
    """Returns the user and system time of the processes and their descendants, also of those that have ended."""
    total = 0
    for pid in family(roots):
        fields = _stat(pid)
        if fields:
            total += sum(map(int, fields[11:15]))  # utime, stime, and those of children waited for
    return total / TICKS


def wait_until_idle(roots: Iterable[int], patience: float = 20.0) -> None:
    """Returns when the processes and their descendants have started and wait for work."""
    roots = list(roots)
    deadline = time.monotonic() + patience
    before = -1.0
    while time.monotonic() < deadline and (now := cpu_seconds(roots)) - before > IDLE:
        before = now
        time.sleep(EVERY)


class CpuTimes(NamedTuple):
    """CPU seconds of the whole machine until now: what all processes used, what ours did, what there was."""

    used: float
    ours: float
    available: float


def cpu_times(ours: Iterable[int]) -> CpuTimes:
    """Returns the CPU seconds until now; `ours` are the processes that count, with their descendants, as our own."""
    ticks = [0] * 8
    with contextlib.suppress(OSError):
        ticks = [int(text) for text in (PROC / "stat").read_text().partition("\n")[0].split()[1:9]]
    idle, waiting = ticks[3:5]
    return CpuTimes((sum(ticks) - idle - waiting) / TICKS, cpu_seconds(ours), sum(ticks) / TICKS)


def share_of_others(before: CpuTimes, after: CpuTimes) -> float:
    """Returns the share of the machine's CPU, between 0 and 1, that processes other than ours took; steal included."""
    available = after.available - before.available
    others = (after.used - before.used) - (after.ours - before.ours)
    return min(1.0, max(0.0, others / available)) if available > 0 else 0.0


def _stat(pid: int) -> list[str] | None:
    """Returns the fields of /proc/PID/stat behind the command's name: state, parent, ..."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


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
