"""Seeing a run through for the command that started it: worked here or by the workers, shown at its end."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, TextIO, cast

from django.core.management.base import CommandError, OutputWrapper
from django.db import Error as DatabaseTrouble
from django.db import connection

from accounts.database import cause_of
from accounts.management.base import NOT_GOOD
from accounts.refusals import Refusal
from syncing.error_boundary import INTERNAL_REMEDY, bounded, survived, where
from syncing.execution.foreground import run_to_the_end
from syncing.execution.stop_signs import StopOnSignal
from syncing.leases import processes
from syncing.management.console.output import write_json
from syncing.management.console.progress import ProgressBar
from syncing.models import RunState, SyncRun
from syncing.presentation.runs import run_report
from syncing.selectors.documents import failed_document, run_document
from syncing.services.runs.close import fail_inside
from syncing.services.runs.start import Started
from syncing.services.runs.waves import waits_for

GOOD = (RunState.SUCCEEDED, RunState.PLANNED)
LOOK = 0.5  # seconds between two looks at a run that the workers do
LOST_SIGHT = "What was written is kept; see the run when the database is back, then run again."

Options = Mapping[str, Any]


class Refused(CommandError):
    """Nothing was started."""


def add_run_flags(parser: ArgumentParser) -> None:
    """The flags of every command that starts a run: --queue, --no-wait, --json."""
    parser.add_argument("--queue", action="store_true", help="leave the work to the workers and wait for its end")
    parser.add_argument("--no-wait", action="store_true", help="with --queue: print the run and leave")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, the rest on stderr")


def check_run_flags(options: Options) -> None:
    """Raises Refusal for flags that make no sense together."""
    if options["no_wait"] and not options["queue"]:
        raise Refusal("usage", "--no-wait is for --queue.")


def run_command(
    started: Started,
    options: Options,
    stdout: OutputWrapper,
    stderr: OutputWrapper,
    *,
    stop: StopOnSignal | None = None,
) -> None:
    """Works or awaits the run, as the flags say, and shows it; leaves with exit code 1 unless all is good.

    `stop`: the sign of a caller who listens for signals already.
    """
    if started.joined:
        stderr.write(f"Joined run {started.run.pk}, which asked for the same and still waited.")
    if options["no_wait"]:
        stdout.write(json.dumps({"run": started.run.pk, "state": started.run.state}))
        return
    if stop is None:
        with StopOnSignal() as stop:
            state = _see_through(started.run, options, stdout, stderr, stop)
    else:
        state = _see_through(started.run, options, stdout, stderr, stop)
    if state not in GOOD:
        sys.exit(NOT_GOOD)


def _see_through(
    run: SyncRun, options: Options, stdout: OutputWrapper, stderr: OutputWrapper, stop: StopOnSignal
) -> str | None:
    """The state in which the run ended; None when the database, or this command itself, failed meanwhile.

    Whatever happens, the document is printed.
    """
    state, failed = None, list[Exception]()
    with bounded(failed.append, but=(BrokenPipeError,)):
        run = to_the_end(run, options, stderr, stop)
        document, state = run_document(run, shared=not options["json"]), run.state
    if failed:
        document = _broken(run, stderr, failed[0])
    if options["json"]:
        write_json(stdout, document)
    else:
        stdout.write(run_report(document))
    return state


def to_the_end(run: SyncRun, options: Options, stderr: OutputWrapper, stop: StopOnSignal) -> SyncRun:
    """Works or awaits the run, as the flags say."""
    return (_wait if options["queue"] else _work)(run, stderr, stop)


def _work(run: SyncRun, stderr: OutputWrapper, stop: StopOnSignal) -> SyncRun:
    progress = ProgressBar(run, cast(TextIO, stderr._out))
    run = run_to_the_end(run, stop=stop, say=progress.say, on_progress=progress)
    progress.end()
    if stop.is_set():
        stderr.write(f"Stopped: run {run.pk} {'goes on without this command' if run.is_open else 'is ' + run.state}.")
    return run


def _wait(run: SyncRun, stderr: OutputWrapper, stop: StopOnSignal) -> SyncRun:
    progress = ProgressBar(run, cast(TextIO, stderr._out))
    while run.is_open and not stop.wait(LOOK):
        if sentence := waits_for(run):
            progress.say(sentence)
        elif not processes.workers_alive():
            progress.say("No worker is alive: start one with `python manage.py worker` (or `up`).")
        progress()
        run.refresh_from_db()
    progress.end()
    if run.is_open:
        stderr.write(f"No longer waiting: run {run.pk} goes on in the workers.")
    return run


def _broken(run: SyncRun, stderr: OutputWrapper, error: Exception) -> dict[str, Any]:
    """The document of a run that this command lost sight of; when its rows cannot be read, only which run it is."""
    if isinstance(error, DatabaseTrouble):
        message, remedy = f"The database failed while run {run.pk} was at work: {cause_of(error)}", LOST_SIGHT
    else:
        message, remedy = f"This command failed while run {run.pk} was at work: {where(error)}.", INTERNAL_REMEDY
    stderr.write(f"{message} {remedy}")
    document = failed_document("internal", message, remedy, type=run.type, mode=run.mode) | {"run": run.pk}
    with survived(f"run {run.pk}", but=()):
        connection.close_if_unusable_or_obsolete()
        if not isinstance(error, DatabaseTrouble) and not run.queued_to_workers:
            fail_inside(run.pk, error)  # nobody else would end it
        document = run_document(SyncRun.objects.get(pk=run.pk))
    return document
