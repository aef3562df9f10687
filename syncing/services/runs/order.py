"""Runs of one group go one after the other: who waits for whom, and who takes over from the dead."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_noop

from accounts import clock
from syncing import conf
from syncing.error_boundary import survived
from syncing.leases import claims, processes
from syncing.models import RUN_OPEN, AccountRun, AccountState, LogEntry, SyncRun
from syncing.records.log import log
from syncing.records.text import short
from syncing.services.runs import holds, waves
from syncing.services.runs.close import close_run, end_accounts

STEP = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ahead:
    """The runs before a run: the `dead` may be superseded; `waits_for` says what it has to wait for, "" nothing.

    `held`: the keys of those that may not begin yet, and let it pass.
    """

    dead: tuple[SyncRun, ...]
    waits_for: str
    held: tuple[int, ...] = ()


def look_ahead(run: SyncRun, *, foreground: bool) -> Ahead:
    """Returns what is before `run`, up to the first run that it has to wait for.

    A run that nobody has begun, queued for workers of whom none lives, is left to them: a command goes first.
    """
    if reason := holds.why_held(run):
        return Ahead((), reason)
    dead: list[SyncRun] = []
    held: list[int] = []
    for other in claims.ahead(run).select_related("group"):
        if holds.why_held(other):
            held.append(other.pk)
            continue
        if reason := why_alive(other, foreground=foreground):
            return Ahead(
                tuple(dead),
                gettext_noop("waiting for run %(run)s of the same group: %(why)s") % {"run": other.pk, "why": reason},
                tuple(held),
            )
        if other.fence or not other.queued_to_workers:
            dead.append(other)
    return Ahead(tuple(dead), "", tuple(held))


def note_reasons() -> int:
    """Stores in the note of each run that no worker has begun what it waits for; returns how many notes changed."""
    changed = 0
    for run in claims.unread().filter(fence=0).select_related("group"):
        with survived(f"what run {run.pk} waits for", run=run.pk, group=run.group_id):
            note = short(look_ahead(run, foreground=False).waits_for)
            changed += note != run.note and SyncRun.objects.filter(pk=run.pk, fence=0).update(note=note)
    return changed


def supersede(dead: Iterable[SyncRun], *, by: SyncRun) -> None:
    """Ends runs that nobody works any more, so that `by` may begin; one that was taken up meanwhile stays."""
    for run in dead:
        end_dead(run, gettext_noop("superseded by run %(run)s") % {"run": by.pk})


def why_alive(run: SyncRun, *, foreground: bool) -> str:
    """Returns why `run` has to be waited for; "" when nobody works it and nobody will."""
    moment = clock.now()
    left, rest = lease_left(run, moment), waves.waits_for(run)
    if rest and (left > 0 or run.queued_to_workers):
        return rest
    if left > 0:
        seconds = STEP * math.ceil(left / STEP)  # or the sentence would be another one every second
        return gettext_noop("it is in work; if its process has died, this run takes over within %(seconds)s s") % {
            "seconds": seconds
        }
    if not run.queued_to_workers:
        # A process that just made the run may not have shown itself yet; clocks are set back, too.
        died = abs(moment - run.created_at) > conf.lease() or run.processes.exists()
        return "" if died else gettext_noop("it is about to begin")
    if not foreground:
        return gettext_noop("it is next in the queue")
    return gettext_noop("the workers do it first") if processes.workers_alive() else ""


def lease_left(run: SyncRun, moment: datetime) -> float:
    """Returns the seconds until the last claim of the run, or its process, is taken for dead; 0: nothing is in work."""
    ends = [run.lease_until]
    held = AccountRun.objects.filter(run=run, state=AccountState.RUNNING)
    ends += held.values_list("lease_until", flat=True)
    ends += [beat + conf.lease() for beat in run.processes.values_list("heartbeat_at", flat=True)]
    return max([0.0, *((end - moment).total_seconds() for end in ends if end)])


def end_dead(run: SyncRun, note: str) -> bool:
    """Cancels what is open of a run whose process died; True for the one caller who ended it."""
    with transaction.atomic():
        dead = SyncRun.objects.filter(pk=run.pk, state__in=RUN_OPEN, fence=run.fence)  # nobody took it up meanwhile
        if not dead.update(lease_until=None):
            return False
        claims.release_expired(run.pk)
        end_accounts(run, AccountState.CANCELLED, "cancelled", note=note)
    logger.warning("run %s was left by a process that died: %s", run.pk, note, extra={"run": run.pk})
    if close_run(run.pk):
        log(run.pk, note, code="superseded", level=LogEntry.Level.WARNING)
        return True
    return False
