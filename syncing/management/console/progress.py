"""The progress of a run on stderr: a bar on a terminal, plain lines elsewhere."""

import time
from typing import TextIO

from syncing.models import SyncRun
from syncing.selectors.runs import progress_of
from syncing.selectors.waves import position

WIDTH = 30
REDRAW = 0.5  # seconds, on a terminal
REPEAT = 5.0  # seconds, in a log


class ProgressBar:
    """Draws the progress now and then, however often it is called."""

    def __init__(self, run: SyncRun, stream: TextIO) -> None:
        self._run = run
        self._stream = stream
        self._on_terminal = stream.isatty()
        self._pause = REDRAW if self._on_terminal else REPEAT
        self._began = time.monotonic()
        self._due = self._began + (0 if self._on_terminal else REDRAW)
        self._last_sentence = ""
        self._drawn = False
        self._waves = position(run.pk)[1]

    def __call__(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._pause
            self._draw()

    def say(self, sentence: str) -> None:
        """Writes a sentence on a line of its own, once in a row."""
        if sentence != self._last_sentence:
            self._last_sentence = sentence
            self._clear()
            self._stream.write(sentence + "\n")
            self._stream.flush()

    def end(self) -> None:
        """Leaves the last state standing."""
        self._draw()
        if self._on_terminal:
            self._stream.write("\n")
        self._stream.flush()

    def _draw(self) -> None:
        progress = progress_of([self._run])[self._run.pk]
        states = ", ".join(f"{count.count} {count.state}" for count in progress.states)
        filled = WIDTH * progress.done // max(1, progress.total)
        bar = f"[{'#' * filled}{'.' * (WIDTH - filled)}] " if self._on_terminal else ""
        seconds = time.monotonic() - self._began
        wave = f"wave {position(self._run.pk)[0]} of {self._waves}, " if self._waves > 1 else ""
        text = f"run {self._run.pk}: {bar}{wave}{progress.done}/{progress.total} ({states}) {seconds:.0f} s"
        self._clear()
        self._stream.write(text if self._on_terminal else text + "\n")
        self._stream.flush()
        self._drawn = True

    def _clear(self) -> None:
        if self._drawn and self._on_terminal:
            self._stream.write("\r\x1b[K")
