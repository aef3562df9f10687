"""Sees a run through for the command that started it: worked here or by the workers, shown at its end."""

import json
import sys
from collections.abc import Mapping
from typing import Any, TextIO, cast

from django.core.management.base import CommandError, OutputWrapper
from django.db import Error as DatabaseTrouble
from django.db import connection

from accounts.database import cause_of
from accounts.management.base import NOT_GOOD
from syncing.error_boundary import INTERNAL_REMEDY, bounded, survived, where
from syncing.execution.foreground import run_to_the_end
from syncing.execution.stop_signs import StopOnSignal
from syncing.leases import processes
from syncing.management.console.output import write_json
from syncing.management.console.progress import ProgressBar
from syncing.models import RunState, SyncRun
from syncing.presentation.runs import run_report
from syncing.selectors.documents import failed_document, run_document
from syncing.services.runs.close import end_by_own_error
from syncing.services.runs.start import Started
from syncing.services.runs.waves import waits_for
from syncing.worker.messenger_supervisor import send_without_workers

GOOD = (RunState.SUCCEEDED, RunState.PLANNED)
LOOK = 0.5  # seconds between two looks at a run that the workers do
LOST_SIGHT = "What was written is kept; see the run when the database is back, then run again."

Options = Mapping[str, Any]


class Refused(CommandError):
    """Nothing was started."""


def run_command(
    started: Started, options: Options, stdout: OutputWrapper, stderr: OutputWrapper, *, stop: StopOnSignal
) -> None:
    """Works or awaits the run, as the flags say, and shows it; leaves with exit code 1 unless all is good.

    The document is printed whatever happens, also when the database, or this command itself, fails meanwhile.
    """
    if started.joined:
        stderr.write(f"Joined run {started.run.pk}, which asked for the same and still waited.")
    if options["no_wait"]:
        stdout.write(json.dumps({"run": started.run.pk, "state": started.run.state}))
        return
    run, state, failed = started.run, None, list[Exception]()
    with bounded(failed.append, but=(BrokenPipeError,)):
        run = to_the_end(run, options, stderr, stop)
        document, state = run_document(run, shared=not options["json"]), run.state
    if failed:
        document = _document_after(failed[0], run, stderr)
    if options["json"]:
        write_json(stdout, document)
    else:
        stdout.write(run_report(document))
    if not options["queue"] and not stop.is_set():
        stdout.flush()
        send_without_workers()
    if state not in GOOD:
        sys.exit(NOT_GOOD)


def to_the_end(run: SyncRun, options: Options, stderr: OutputWrapper, stop: StopOnSignal) -> SyncRun:
    """Works or awaits the run, as the flags say."""
    progress = ProgressBar(run, cast(TextIO, stderr._out))
    if not options["queue"]:
        run = run_to_the_end(run, stop=stop, say=progress.say, on_progress=progress)
        progress.end()
        if stop.is_set():
            outcome = "goes on without this command" if run.is_open else f"is {run.state}"
            stderr.write(f"Stopped: run {run.pk} {outcome}.")
        return run
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


def _document_after(error: Exception, run: SyncRun, stderr: OutputWrapper) -> dict[str, Any]:
    """Returns the document of a run that this command lost sight of; only its number when its rows cannot be read."""
    if isinstance(error, DatabaseTrouble):
        message, remedy = f"The database failed while run {run.pk} was at work: {cause_of(error)}", LOST_SIGHT
    else:
        message, remedy = f"This command failed while run {run.pk} was at work: {where(error)}.", INTERNAL_REMEDY
    stderr.write(f"{message} {remedy}")
    facts = {"type": run.type, "mode": run.mode, "trigger": run.trigger}
    document = failed_document("internal", message, remedy, **facts) | {"run": run.pk}
    with survived(f"run {run.pk}", but=(), run=run.pk):
        connection.close_if_unusable_or_obsolete()
        if not isinstance(error, DatabaseTrouble) and not run.queued_to_workers:
            end_by_own_error(run.pk, error)  # nobody else would end it
        document = run_document(SyncRun.objects.get(pk=run.pk))
    return document
