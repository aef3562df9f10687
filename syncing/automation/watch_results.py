"""Stores what came of a look, decides what follows, and starts the run that brings a change."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.utils import translation
from django.utils.translation import gettext_noop

from accounts import clock
from accounts.kommo.stopping import DELIBERATE_STOPS
from accounts.models import Account, SyncGroup, WatchMode
from accounts.own_words import SOURCE
from accounts.refusals import Refusal
from accounts.services.events import with_remedy
from accounts.services.health.store import record_health
from syncing.automation import watch_rows
from syncing.automation.master_look import LookOrder, Sighting
from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot, fingerprint
from syncing.engine.watching import (
    NextStep,
    after_failures,
    collections_of,
    grace,
    judge,
    moved_between,
    until_next_look,
)
from syncing.error_boundary import bounded
from syncing.execution import master as masters
from syncing.leases import dispatch
from syncing.leases.claims import MasterClaim, claim_master
from syncing.models import RunMode, RunType, SyncRun, Watch
from syncing.notifications import notices
from syncing.notifications.wording import collection_name
from syncing.policy import scope_of
from syncing.records.log import log
from syncing.records.text import short
from syncing.services.actors import WATCH
from syncing.services.runs import order
from syncing.services.runs.create import locked
from syncing.services.runs.start import allowed_mode, start_run

logger = logging.getLogger(__name__)

MOST_FAILURES = 1000  # are counted
MOVED = gettext_noop("Changed in the master: %(what)s.")


@dataclass(frozen=True)
class ClaimedLook:
    """A look that nobody else takes `until` then; `obstacle`: why there is nothing to ask, else there is an `order`."""

    group: SyncGroup
    master: Account | None
    scope: Scope | None
    until: datetime
    began: datetime
    order: LookOrder | None = None
    obstacle: dict[str, str] | None = None


@dataclass(frozen=True)
class LookOutcome:
    """What came of a look: the row as it is stored, the collections that have moved, and the run that was started."""

    row: Watch
    collection: str  # "": all of the master
    moved: Sequence[str] = ()
    run: SyncRun | None = None
    error: dict[str, str] | None = None


def conclude(look: ClaimedLook, sighting: Sighting) -> LookOutcome | None:
    """Stores what was seen and does what follows; None when it is worth nothing any more: the group has changed."""
    error = sighting.error
    if look.master is not None and error is None:
        error = masters.learn_identity(look.master, sighting.kommo_id)
    if look.master is not None and look.obstacle is None and not _was_handed_back(error):
        record_health(look.master.pk, error)
    with locked(look.group) as group:
        row = Watch.objects.select_related("run").select_for_update(of=("self",)).get(pk=group.pk)
        if row.next_look != look.until:
            return None
        result = _Conclusion(look, group, row, clock.now())
        if result.is_outdated or _was_handed_back(error):
            row.next_look = result.moment
            row.save()
            return None
        if error is not None:
            result.fail(error)
        else:
            result.take(sighting)
        row.state = watch_rows.state_of(row, group, look.master, result.moment)
        row.save()
    if error is None:
        logger.info("the master of the group %s was looked at: %s", group, row.state)
    if result.claim is not None and sighting.reading is not None and look.order is not None:
        with bounded(partial(masters.failed_inside, result.claim), run=result.claim.run_id):
            if masters.settle(result.claim, look.order.whole, [sighting.reading]):
                dispatch.call_lanes()
    collection = look.order.collection if look.order else ""
    return LookOutcome(row, collection, result.moved, result.run, error)


def _was_handed_back(error: dict[str, str] | None) -> bool:
    return error is not None and error["code"] in DELIBERATE_STOPS


def _tell_moves(run: SyncRun, moved: Iterable[str]) -> None:
    """Writes into the log of a run what the watcher saw changed, which is why there is a run."""
    with translation.override(SOURCE):
        for what in dict.fromkeys(map(collection_name, moved)):
            log(run.pk, MOVED, facts={"what": what}, code="moved")


class _Conclusion:
    """Puts what was seen into the row of a group, which the caller has locked and stores."""

    def __init__(self, look: ClaimedLook, group: SyncGroup, row: Watch, moment: datetime) -> None:
        self.look, self.group, self.row, self.moment = look, group, row, moment
        self.moved: list[str] = []
        self.run: SyncRun | None = None
        self.claim: MasterClaim | None = None

    @property
    def is_outdated(self) -> bool:
        """Tells whether the group has another master, or covers something else, than when the look began."""
        master = Account.objects.filter(group=self.group, role=Account.Role.MASTER).values_list("pk", flat=True).first()
        seen = self.look.master.pk if self.look.master else None
        return master != seen or scope_of(RunType.FULL, self.group) != self.look.scope

    def fail(self, error: dict[str, str]) -> None:
        """Notes that the master could not be read, and asks for it again later and later."""
        row, problem = self.row, short(with_remedy(error["message"], error["remedy"]))
        if problem != row.problem:
            logger.warning("The master of the group %s cannot be watched: %s", self.group, problem)
        row.problem, row.failures = problem, min(row.failures + 1, MOST_FAILURES)
        row.next_look = self.moment + after_failures(self.group.look_seconds, row.failures)
        self._end_if_off()

    def take(self, sighting: Sighting) -> None:
        """Notes what was seen of the master, and begins what follows."""
        row = self.row
        row.failures, row.problem, row.last_look, row.looks = 0, "", self.moment, row.looks + 1
        before = row.pending_fingerprint or row.fingerprint
        watch_rows.learn_of_runs(row, self.look.scope)
        if sighting.reading is not None and sighting.reading.snapshot is not None:
            self._take_whole(sighting.reading.snapshot, sighting.digest, before or row.fingerprint)
        if row.pending_fingerprint and watch_rows.frozen_until(self.group, self.moment):
            row.pending_since = self.moment  # that the master never rests is counted from the end of the freeze
        row.next_look = self._next_look()
        row.due_at = max(row.next_look, self.moment) + grace(self.group.look_seconds)
        self._end_if_off()

    def _take_whole(self, snapshot: Snapshot, digest: str, before: str) -> None:
        """Notes what a reading of the whole master shows; `before`: the fingerprint that it is compared with."""
        row, asked, scope = self.row, self.look.order, self.look.scope
        if asked is None or scope is None:
            raise ValueError("nothing was asked for")
        seen, now = fingerprint(snapshot), collections_of(snapshot, scope)
        if digest:
            # As the list alone shows it: what it shows in another way than a whole reading is no change next time.
            now[asked.collection] = digest
        if seen != before:
            self.moved = moved_between(row.collections or watch_rows.brought_collections(row, scope), now)
        row.collections = now
        pending = watch_rows.pending_of(row)
        if pending is not None and watch_rows.is_told(row, self.group) and pending.fingerprint != seen:
            pending = None
        step, pending = judge(seen, row.fingerprint, pending, self.moment, watch_rows.quiet_of(self.group))
        if pending is None:
            row.fingerprint = seen
            watch_rows.assign(row, watch_rows.NO_CHANGE)
            return
        if pending.fingerprint != row.pending_fingerprint:
            row.last_change = self.moment
        watch_rows.set_pending(row, pending)
        if step is NextStep.ACT:
            self._act(scope)

    def _act(self, scope: Scope) -> None:
        """Does what the group wants done about the change; it stays when that has to wait."""
        row, group = self.row, self.group
        if group.watch == WatchMode.REPORT and not watch_rows.is_told(row, group):
            row.told_fingerprint = row.pending_fingerprint
            notices.master_changed(group, moved_between(watch_rows.brought_collections(row, scope), row.collections))
        if group.watch in (WatchMode.REPORT, WatchMode.OFF) or watch_rows.waits_for_run(group):
            return
        if watch_rows.frozen_until(group, self.moment):
            return
        moved = moved_between(watch_rows.brought_collections(row, scope), row.collections)
        mode = RunMode.PLAN if group.watch == WatchMode.PLAN else allowed_mode(group)
        try:
            self.run = start_run(group=group, mode=mode, by=WATCH, delta=True).run
        except Refusal as refusal:
            logger.warning("The change in the master of the group %s is not brought: %s", group, refusal)
            row.problem = short(str(refusal))
            row.pending_since = row.pending_read_at = self.moment  # not at every tick, but a quiet period later
            return
        _tell_moves(self.run, moved)
        ahead = order.look_ahead(self.run, foreground=False)
        self.claim = None if ahead.waits_for else claim_master(self.run, held=ahead.held)
        row.run, row.fingerprint = self.run, row.pending_fingerprint
        watch_rows.assign(row, watch_rows.NO_CHANGE)

    def _next_look(self) -> datetime:
        """Returns when the master is looked at again: a change that waits is read when its quiet period is over."""
        row, group = self.row, self.group
        regular = self.look.began + until_next_look(group.look_seconds, group.pk, row.looks)
        pending = watch_rows.pending_of(row)
        if pending is None or watch_rows.is_told(row, group):
            return regular
        frozen_until = watch_rows.frozen_until(group, self.moment)
        return min(regular, frozen_until) if frozen_until else pending.ripe_at(watch_rows.quiet_of(group))

    def _end_if_off(self) -> None:
        """Plans no further look of a watcher that is off: a command took this one."""
        if self.group.watch == WatchMode.OFF:
            self.row.next_look = self.row.due_at = None
