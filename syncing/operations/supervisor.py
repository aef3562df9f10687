"""Keeps a few child processes running until told to stop; a dead one is started again."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from accounts.refusals import Refusal
from syncing.operations.child_processes import end

LOOK_EVERY = 0.2  # seconds
STEADY = 30.0  # seconds after which a process counts as well again
MOST_STARTS = 5  # in a row, none of them steady


@dataclass
class Program:
    """One process to keep running; `launch` starts it, `child` is the one that runs already, if any."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    starts: int = 0
    start_at: float = 0.0  # not before (a growing pause between two starts)

    def start(self) -> None:
        self.child = self.launch()
        self.started_at = time.monotonic()
        self.starts += 1


class ProgramSupervisor:
    """Runs programs in the foreground. `stop` may be set from a signal handler or another thread."""

    def __init__(self, programs: Sequence[Program], say: Callable[[str], None]) -> None:
        self.programs = list(programs)
        self.stop = threading.Event()
        self._say = say

    def stop_on_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: self.stop.set())

    def start(self) -> None:
        for program in self.programs:
            program.start()

    def run(self) -> None:
        """Runs until `stop` is set; raises Refusal. All children are gone afterwards, whatever happened."""
        try:
            while not self.stop.wait(LOOK_EVERY):
                for program in self.programs:
                    self._restart_if_ended(program)
        finally:
            self.end_all()

    def _restart_if_ended(self, program: Program) -> None:
        """Starts a program again that has ended, a little later each time; raises Refusal if it never gets steady."""
        now = time.monotonic()
        if program.child is None:
            if now >= program.start_at:
                program.start()
            return
        code = program.child.poll()
        if code is None:
            return
        if now - program.started_at > STEADY:
            program.starts = 0
        if program.starts >= MOST_STARTS:
            raise Refusal(
                "gave_up", f"The {program.name} ended {program.starts} times in a row (exit {code}); giving up."
            )
        pause = min(2.0**program.starts / 2, 15.0)
        self._say(f"The {program.name} ended (exit {code}); starting it again in {pause:.0f} s.")
        program.child, program.start_at = None, now + pause

    def end_all(self) -> None:
        """Ends the children, the last started first; each gets its signal before any is waited for."""
        living = [p for p in reversed(self.programs) if p.child is not None and p.child.poll() is None]
        for program in living:
            if program.child is not None:
                program.child.send_signal(signal.SIGTERM)
        for program in living:
            if program.child is not None:
                end(program.child)
