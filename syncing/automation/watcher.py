"""Watches the master of each group: sends the looks that are due, takes them, and acts on what has changed.

A look is claimed by one conditional UPDATE of `next_look`, and what follows from it is stored in one transaction: of a
process that dies on the way nothing is left but the claim, and the next look does the same again.
"""

import logging
import time
from dataclasses import replace
from datetime import datetime

from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import clock, request_counts
from accounts.kommo.stopping import Stop, StopReason
from accounts.log_context import log_ids
from accounts.models import SECRETS, Account, SyncGroup, WatchMode
from accounts.own_words import SOURCE
from accounts.refusals import Refusal
from accounts.services import queue
from syncing import conf
from syncing.automation import watch_rows
from syncing.automation.master_look import LookOrder, Sighting, take_look
from syncing.automation.watch_results import ClaimedLook, LookOutcome, conclude
from syncing.engine.watching import collection_at, grace, until_next_look
from syncing.error_boundary import INTERNAL_REMEDY, bounded, survived, where
from syncing.execution import master as masters
from syncing.execution import sync
from syncing.execution.stop_signs import StopSign
from syncing.models import RunType, Watch, WatchState
from syncing.policy import scope_of
from syncing.records.text import error_document

logger = logging.getLogger(__name__)

LOOK = "syncing.tasks.look"  # by name: tasks import us, not the reverse
TOO_SLOW = (
    gettext_noop("The master answered too slowly."),
    gettext_noop("Look whether Kommo has an outage; it is tried again later."),
)
NOTHING_WATCHED = (
    gettext_noop("The group's policy covers neither pipelines nor custom fields, so there is nothing to watch."),
    gettext_noop("Change the policy, or switch the watcher off."),
)
ON = [state for state in WatchState if state != WatchState.OFF]


# -- what is due --


def send_due() -> int:
    """Sends a message for every look that is due; returns how many. May run anywhere, and several at once."""
    watched = SyncGroup.objects.filter(~Q(watch=WatchMode.OFF) | Q(watcher__state__in=ON))
    sent = 0
    for group in watched.order_by("pk"):
        with survived(f"the watcher of group {group.pk}", group=group.pk):
            sent += _attend_to(group)
    return sent


def _attend_to(group: SyncGroup) -> bool:
    """Brings the row in line with what happened to the group since; True when a look was sent."""
    master = Account.objects.filter(group=group, role=Account.Role.MASTER).defer(*SECRETS).first()
    row, moment = watch_rows.row_of(group, master), clock.now()
    stored = _columns(row)
    watch_rows.learn_of_runs(row, scope_of(RunType.FULL, group))
    row.state = watch_rows.state_of(row, group, master, moment)
    waits = watch_rows.is_ripe(row, group, moment) and watch_rows.waits_for_run(group)
    if row.state == WatchState.PAUSED:
        row.due_at = None
    elif row.state != WatchState.OFF and (waits or row.due_at is None):
        row.due_at = moment + grace(group.look_seconds)
    if _columns(row) != stored:
        # A look that ended meanwhile knew more.
        Watch.objects.filter(pk=row.pk, next_look=row.next_look, looks=row.looks).update(**_columns(row))
    is_due = row.next_look is not None and row.next_look <= moment
    if not is_due or waits or row.state in (WatchState.OFF, WatchState.PAUSED):
        return False
    queue.send(LOOK, group.pk)
    return True


def _columns(row: Watch) -> dict[str, object]:
    """Returns what may change without a look."""
    names = ("state", "due_at", "run_id", "fingerprint", "collections", *watch_rows.NO_CHANGE)
    return {name: getattr(row, name) for name in names}


# -- one look --


def look(group_id: int, sign: StopSign, *, at_once: bool = False, whole: bool = False) -> LookOutcome | None:
    """Looks at the master of a group; None when no look is due, somebody else takes it, or it came to nothing.

    `at_once`: due or not, and also when the watcher is off; `whole`: at all of the master. `sign` ends it between two
    requests. A paused master is not asked: raises Refusal with `at_once`.
    """
    with log_ids(group=group_id):
        claimed = _claim(group_id, at_once=at_once, whole=whole)
        if claimed is None:
            return None
        sighting = _see(claimed, sign)
        request_counts.flush()
        with translation.override(SOURCE):  # what is stored is English
            return conclude(claimed, sighting)


def _claim(group_id: int, *, at_once: bool, whole: bool) -> ClaimedLook | None:
    """Takes the look that is due, in one UPDATE."""
    group = SyncGroup.objects.get(pk=group_id)
    master = Account.objects.filter(group=group, role=Account.Role.MASTER).first()  # with its secrets
    row, moment = watch_rows.row_of(group, master), clock.now()
    is_paused = group.is_paused or (master is not None and master.is_paused)
    is_due = group.watch != WatchMode.OFF and row.next_look is not None and row.next_look <= moment
    if is_paused and at_once:
        raise Refusal(
            "paused", _("The master is not looked at while it, or its group, is paused."), _("Resume it first.")
        )
    if is_paused or not (is_due or at_once):
        return None
    until = moment + max(until_next_look(group.look_seconds, group.pk, row.looks), conf.LOOK_LEASE)
    if not Watch.objects.filter(pk=row.pk, next_look=row.next_look).update(next_look=until):
        return None
    scope = scope_of(RunType.FULL, group)
    claimed = ClaimedLook(group, master, scope, until, moment)
    if wrong := masters.policy_error(group):
        return replace(claimed, obstacle=error_document("internal", wrong, masters.POLICY_REMEDY))
    if master is None:
        return replace(claimed, obstacle=error_document("not_found", *masters.NO_MASTER))
    if scope is None:
        return replace(claimed, obstacle=error_document("conflict", *NOTHING_WATCHED))
    order = LookOrder(sync.request_for(group, master, scope))
    if not (whole or _wants_all(row, group, moment)):
        collection = collection_at(row.looks, scope, row.collections)
        order = replace(order, collection=collection, known=row.collections.get(collection, ""))
    return replace(claimed, order=order)


def _wants_all(row: Watch, group: SyncGroup, moment: datetime) -> bool:
    """Tells whether all of the master is to be read: for the first time, or because a change has waited long enough."""
    if not row.collections:
        return True
    if not watch_rows.is_ripe(row, group, moment) or watch_rows.is_told(row, group):
        return False
    return not watch_rows.waits_for_run(group) and watch_rows.frozen_until(group, moment) is None


def _see(look: ClaimedLook, sign: StopSign) -> Sighting:
    """Makes the requests; an error of our own is an outcome, too."""
    if look.order is None:
        return Sighting(error=look.obstacle)
    ends = time.monotonic() + conf.LONGEST_LOOK
    stop = Stop(watch=lambda: StopReason.HANDED_BACK if sign.is_set() or time.monotonic() > ends else "")
    failed: list[Exception] = []
    sighting = Sighting()
    with bounded(failed.append):
        sighting = take_look(look.order, stop)
    if failed:
        logger.error("the look at the master of group %s: error of our own", look.group.pk, exc_info=failed[0])
        return Sighting(
            error=error_document(
                "internal", gettext_noop("The look failed: %(where)s.") % {"where": where(failed[0])}, INTERNAL_REMEDY
            )
        )
    if sighting.error and sighting.error["code"] == StopReason.HANDED_BACK and not sign.is_set():
        return Sighting(error=error_document("unreachable", *TOO_SLOW))
    return sighting
