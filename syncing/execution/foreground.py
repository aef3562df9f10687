"""A run worked by the process that asked for it, with the same lanes as the workers' and no worker at all."""

import math
import time
from collections.abc import Callable

from syncing import conf, replication
from syncing.execution import lanes
from syncing.execution.account_task import Replicate
from syncing.execution.stop_signs import StopSign
from syncing.leases import claims, clocks, processes
from syncing.models import ProcessKind, SyncRun
from syncing.records.text import short
from syncing.services.actors import COMMAND
from syncing.services.runs import order, waves
from syncing.services.runs.start import cancel_run

PAUSE = 0.5  # seconds between two looks when there is nothing to do but wait
Say = Callable[[str], None]


def run_to_the_end(
    run: SyncRun,
    *,
    stop: StopSign,
    say: Say = lambda sentence: None,
    on_progress: Callable[[], None] | None = None,
    replicate: Replicate = replication.replicate,
) -> SyncRun:
    """Works `run` until it has ended, waiting for older runs of its group; returns the run as it ended.

    When `stop` is set, the run is cancelled, or left to the workers, or another command, if they have it as well.
    """
    name, say = processes.new_name(), _once(say)
    processes.arrive(name, ProcessKind.FOREGROUND, run_id=run.pk)
    try:
        while not stop.is_set() and _is_open(run):
            if lanes.has_claimable(run.pk):
                lanes.run_lane(
                    name=name,
                    slice_s=math.inf,
                    threads=conf.threads(1),
                    stop=stop,
                    run_id=run.pk,
                    on_progress=on_progress,
                    replicate=replicate,
                )
            _wait(run, name, stop, say)
        processes.leave(name)  # before looking: of two that stop at once, the last one has to cancel
        if _is_open(run) and not run.queued_to_workers and not is_run_elsewhere(run):
            cancel_run(run, by=COMMAND)
    finally:
        processes.leave(name)
    return run


def _wait(run: SyncRun, name: str, stop: StopSign, say: Say) -> None:
    """Waits while an older run is in the way, another lane has what is left, or the next wave waits."""
    if not _is_open(run) or waves.advance_or_close(run.pk):
        return
    clocks.pull_in()
    claims.release_expired(run.pk)
    processes.beat(name)
    if not run.is_master_read:
        ahead = order.look_ahead(run, foreground=True)
        order.supersede(ahead.dead, by=run)
        say_why(run, ahead.waits_for, say)
    elif reason := waves.waits_for(run):
        say(reason)
    if not stop.is_set() and not lanes.has_claimable(run.pk):
        time.sleep(PAUSE)


def _once(say: Say) -> Say:
    """Says a sentence when it is another one than the last."""
    last = ""

    def saying(sentence: str) -> None:
        nonlocal last
        if sentence != last:
            last = sentence
            say(sentence)

    return saying


def say_why(run: SyncRun, reason: str, say: Say) -> None:
    """Tells what the run waits for: here, and in its note for whoever looks at it."""
    if reason and reason != run.note:
        SyncRun.objects.filter(pk=run.pk).update(note=short(reason))
        say(reason)


def is_run_elsewhere(run: SyncRun) -> bool:
    """Tells if another command works the run too: it asked for the same while the run waited."""
    return processes.living().filter(kind=ProcessKind.FOREGROUND, run=run).exists()


def _is_open(run: SyncRun) -> bool:
    run.refresh_from_db()
    return run.is_open
