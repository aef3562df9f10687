"""Claims of account runs and of masters by conditional UPDATE, each with a fence, a lease and a count of attempts."""

import logging
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_noop

from accounts import clock
from accounts.models import SyncGroup
from syncing import conf
from syncing.leases.resting import between_waves, rest_is_over
from syncing.models import RUN_OPEN, AccountRun, AccountState, RunMode, RunPurpose, RunState, SyncRun, master_unread

logger = logging.getLogger(__name__)

TOO_MANY_CRASHES = {
    "code": "internal",
    "message": gettext_noop("The worker died %(count)s times while it worked on this account.")
    % {"count": conf.MAX_CRASHES},
    "remedy": gettext_noop("Look for the cause in the worker's log (memory, restarts), then run again."),
}
# Columns of a claim. Nothing else of the rows: of many accounts at once, one odd document would cost all their claims.
CLAIMED = ("pk", "run", "account", "run__mode", "fence", "requests", "run__purpose", "approved_digest", "failing")
UNTOUCHED = Q(fence=0, queued_to_workers=True)  # a run that waits for the workers; nobody has begun it
UNREAD = Q(master_unread(), state__in=RUN_OPEN, cancel_requested_at=None)  # a run whose master was not read yet


@dataclass(frozen=True)
class Claim:
    """An account run in the hands of one lane, as long as the row shows the same fence."""

    account_run_id: int
    run_id: int
    account_id: int
    writes: bool
    fence: int
    requests: int  # sent by earlier attempts
    purpose: str = RunPurpose.SYNC
    approved_digest: str = ""
    failing: int = 0  # requests of earlier attempts that the server failed at


@dataclass(frozen=True)
class MasterClaim:
    """The reading of a run's master in the hands of one lane."""

    run_id: int
    fence: int
    attempts: int


# -- accounts --


def claimable(run_id: int | None = None) -> QuerySet[AccountRun]:
    """Returns the account runs that a lane may take now: of one run, or of all that were given to the workers."""
    elsewhere = AccountRun.objects.filter(account=OuterRef("account"), state=AccountState.RUNNING)
    waiting = AccountRun.objects.filter(
        ~Exists(elsewhere),
        ~master_unread("run__"),
        Q(run__wave_due_at=None) | Q(run__wave_due_at__lte=Now()),
        rest_is_over(),
        state=AccountState.QUEUED,
        wave__lte=F("run__wave"),
        run__wave_held=False,
        run__state=RunState.RUNNING,
        run__cancel_requested_at=None,
    )
    return waiting.filter(run=run_id) if run_id else waiting.filter(run__queued_to_workers=True)


def claim_accounts(lane: str, limit: int, run_id: int | None = None) -> list[Claim]:
    """Takes up to `limit` account runs, those of older runs first; the row count names the winner."""
    wanted = list(claimable(run_id).order_by("run", "pk").values_list("pk", flat=True)[:limit])
    if not wanted:
        return []
    try:
        return _take(lane, wanted)
    except IntegrityError:  # another lane took the same account in another run, this very moment
        claims: list[Claim] = []
        for pk in wanted:
            with suppress(IntegrityError):
                claims += _take(lane, [pk])
        return claims


def _take(lane: str, wanted: Sequence[int]) -> list[Claim]:
    """Takes those of the account runs that are free; raises IntegrityError if another lane has the same account."""
    moment = clock.now()
    with transaction.atomic():
        free = claimable_now(wanted)
        free.update(
            state=AccountState.RUNNING,
            fence=F("fence") + 1,
            lane=lane,
            lease_until=moment + conf.lease(),
            started_at=Coalesce("started_at", moment),
            note="",
        )
        # Only what this very transaction took: another lane's rows carry its name.
        mine = AccountRun.objects.filter(pk__in=wanted, lane=lane, state=AccountState.RUNNING)
        rows = mine.order_by("run", "pk").values_list(*CLAIMED)
        return [Claim(pk, run, account, mode == RunMode.APPLY, *others) for pk, run, account, mode, *others in rows]


def claimable_now(wanted: Sequence[int]) -> QuerySet[AccountRun]:
    """Returns the condition of the UPDATE itself: the database reads it again when it has waited for a lock."""
    return AccountRun.objects.filter(pk__in=wanted, state=AccountState.QUEUED)


def extend_accounts(held: Sequence[int], lane: str) -> dict[int, int]:
    """Extends the leases of the account runs that `lane` still holds, in one UPDATE; returns their fences.

    Locked in the order of their keys before, as the lane's writer does, or the two could wait for each other.
    """
    with transaction.atomic():
        mine = AccountRun.objects.filter(pk__in=held, lane=lane, state=AccountState.RUNNING)
        fences = dict(mine.select_for_update().order_by("pk").values_list("pk", "fence"))
        mine.update(lease_until=clock.now() + conf.lease())
    return fences


def cancelled_runs(run_ids: Iterable[int]) -> set[int]:
    """Returns those of the runs that somebody cancelled."""
    cancelled = SyncRun.objects.filter(pk__in=list(run_ids), cancel_requested_at__isnull=False)
    return set(cancelled.values_list("pk", flat=True))


def release_expired(run_id: int | None = None) -> int:
    """Takes back what dead lanes held: to the queue, or to its end after too many crashes or a cancel."""
    moment = clock.now()
    expired = AccountRun.objects.filter(state=AccountState.RUNNING, lease_until__lt=moment)
    if run_id:
        expired = expired.filter(run=run_id)
    back = {"lease_until": None, "lane": "", "fence": F("fence") + 1, "crashes": F("crashes") + 1}
    ended = {**back, "finished_at": moment}
    cancelled = Q(run__cancel_requested_at__isnull=False) | ~Q(run__state__in=RUN_OPEN)
    count = _update(expired.filter(cancelled), state=AccountState.CANCELLED, reason="cancelled", **ended)
    hopeless = expired.filter(crashes__gte=conf.MAX_CRASHES)
    count += _update(hopeless, state=AccountState.FAILED, reason="internal", error=TOO_MANY_CRASHES, **ended)
    return count + expired.update(
        state=AccountState.QUEUED, note=gettext_noop("its worker died; another worker will continue"), **back
    )


def cancel_stragglers() -> int:
    """Ends account runs that went back to the queue at the very moment somebody cancelled their run."""
    waiting = AccountRun.objects.filter(state=AccountState.QUEUED, run__cancel_requested_at__isnull=False)
    return AccountRun.objects.filter(pk__in=waiting.values("pk"), state=AccountState.QUEUED).update(
        state=AccountState.CANCELLED, reason="cancelled", finished_at=clock.now()
    )


def _update(rows: QuerySet[AccountRun], **values: object) -> int:
    """Updates rows that a join chooses, by a subquery of their keys."""
    return AccountRun.objects.filter(pk__in=rows.values("pk"), state=AccountState.RUNNING).update(**values)


# -- masters --


def unread(run_id: int | None = None) -> QuerySet[SyncRun]:
    """Returns the runs whose master nobody reads at the moment; the oldest first."""
    runs = SyncRun.objects.filter(_nobody_reads(clock.now()), UNREAD).order_by("pk")
    return runs.filter(pk=run_id) if run_id else runs.filter(queued_to_workers=True)


def _nobody_reads(moment: datetime) -> Q:
    return Q(lease_until=None) | Q(lease_until__lt=moment)


def ahead(run: SyncRun) -> QuerySet[SyncRun]:
    """Returns the open runs of the group that come before `run`, in order: those that were begun, then the older ones.

    An older run may be overtaken while nobody has begun it; from then on it waits for the one that overtook it.
    A run that only reads also overtakes one that rests between two waves (for days, perhaps), with all that wait
    behind that one: no two runs ever have the same account in work, and each has a master of its own.
    """
    others = SyncRun.objects.filter(group=run.group_id, state__in=RUN_OPEN).exclude(pk=run.pk).order_by("pk")
    if not run.writes and others.filter(between_waves()).exists():
        others = others.exclude(between_waves()).exclude(mode=RunMode.APPLY, fence=0)
    older = Q(pk__lt=run.pk)
    return others.filter(older & Q(fence__gt=0) if run.fence else older | Q(fence__gt=0))


def claim_master(run: SyncRun, *, foreground: bool = False, held: Collection[int] = ()) -> MasterClaim | None:
    """Takes the reading of the master; None when another was faster, or a run of the group comes before.

    A command does not wait for runs that no worker has begun (`foreground`; whether one lives, the caller knows), and
    nobody for the runs `held`, which may not begin yet.
    """
    with transaction.atomic():
        SyncGroup.objects.select_for_update().get(pk=run.group_id)  # or two runs could overtake each other
        before = ahead(run).exclude(pk__in=held, fence=0)
        if (before.exclude(UNTOUCHED) if foreground else before).exists():
            return None
        moment = clock.now()
        free = SyncRun.objects.filter(_nobody_reads(moment), UNREAD, pk=run.pk, fence=run.fence)
        won = free.update(
            state=RunState.RUNNING,
            fence=run.fence + 1,
            attempts=F("attempts") + 1,
            lease_until=moment + conf.lease(),
            started_at=Coalesce("started_at", moment),
            note="",
        )
    if not won:
        return None
    logger.info("run %s begins", run.pk, extra={"run": run.pk, "group": run.group_id})
    return MasterClaim(run.pk, run.fence + 1, run.attempts + 1)


def extend_masters(held: Sequence[MasterClaim]) -> set[int]:
    """Extends the leases of masters in hand; returns the runs that are still ours and not cancelled."""
    still_ours = set()
    for claim in held:
        rows = SyncRun.objects.filter(UNREAD, pk=claim.run_id, fence=claim.fence)
        if rows.update(lease_until=clock.now() + conf.lease()):
            still_ours.add(claim.run_id)
    return still_ours


def release_master(claim: MasterClaim, *, counts: bool = True) -> None:
    """Gives the reading back, so that the next lane may do it; an attempt that was handed back does not count."""
    mine = SyncRun.objects.filter(UNREAD, pk=claim.run_id, fence=claim.fence)
    mine.update(lease_until=None, attempts=claim.attempts if counts else claim.attempts - 1)


def freeze_master(claim: MasterClaim, **columns: object) -> bool:
    """Ends the reading with `columns` of the run: from now on its accounts may be worked.

    False when the claim was lost or the run cancelled.
    """
    mine = SyncRun.objects.filter(pk=claim.run_id, fence=claim.fence, state__in=RUN_OPEN, cancel_requested_at=None)
    return mine.update(lease_until=None, note="", **columns) == 1
