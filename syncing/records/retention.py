"""Retention: how long logs, snapshots, changes of drift and answers of the REST API are stored."""

from datetime import timedelta

from django.db.models import Count, Max, QuerySet

from accounts import clock
from accounts.models import SyncGroup
from syncing import conf
from syncing.models import (
    RUN_OPEN,
    ConformityDay,
    DriftChange,
    IdempotentAnswer,
    LogEntry,
    MasterSnapshot,
    Message,
    Notice,
    PromotionProposal,
    SlaveSnapshot,
    SyncRun,
)
from syncing.records import drift


def prune_slave_snapshots() -> int:
    """Deletes snapshots of slaves that are older than their group retains them, except while a rollback uses them."""
    count = 0
    for group in SyncGroup.objects.all():
        oldest = clock.now() - timedelta(days=group.snapshot_days)
        old = SlaveSnapshot.objects.filter(account_run__run__group=group, taken_at__lt=oldest)
        needed = SyncRun.objects.filter(group=group, state__in=RUN_OPEN, reverts__isnull=False).values("reverts")
        count += old.exclude(account_run__run__in=needed).delete()[0]
    return count


def revertible_runs() -> QuerySet[SyncRun]:
    """Returns the runs that can still be rolled back: their logs and master snapshots are needed for it."""
    return SyncRun.objects.filter(account_runs__before__isnull=False)


def prune_drift_changes() -> int:
    """Deletes the oldest changes of drift of accounts that have more than are retained; returns how many."""
    many = (
        DriftChange.objects.order_by().values("account").annotate(n=Count("pk")).filter(n__gt=conf.KEEP_DRIFT_CHANGES)
    )
    count = 0
    for account_id in many.values_list("account", flat=True):
        changes = DriftChange.objects.filter(account=account_id).order_by("-pk")
        youngest = changes.values_list("pk", flat=True)[conf.KEEP_DRIFT_CHANGES : conf.KEEP_DRIFT_CHANGES + 1].first()
        count += changes.filter(pk__lte=youngest).delete()[0] if youngest else 0
    return count


def prune_messages() -> int:
    """Deletes messages, and notices that nobody made any of, that are older than they are kept; returns how many."""
    oldest = clock.now() - conf.KEEP_MESSAGES
    notices = Notice.objects.filter(at__lt=oldest).delete()[0]
    return notices + Message.objects.filter(created_at__lt=oldest).delete()[0]


def prune_conformity_days() -> int:
    """Deletes the conformity of days that are older than it is kept; returns of how many."""
    return ConformityDay.objects.filter(day__lt=(clock.now() - conf.KEEP_CONFORMITY).date()).delete()[0]


def prune_idempotent_answers() -> int:
    """Deletes the answers that are not given again any more; returns how many."""
    return IdempotentAnswer.objects.filter(created_at__lte=clock.now() - conf.IDEMPOTENCY).delete()[0]


def prune_logs() -> int:
    """Deletes log entries and proposals of old runs, and master snapshots nobody needs any more; returns how many.

    An open run keeps them, however many have overtaken it while it waits for its next wave; so does one that can be
    rolled back.
    """
    count = 0
    for group in SyncGroup.objects.values_list("pk", flat=True):
        runs = SyncRun.objects.filter(group=group)
        ended = runs.exclude(state__in=RUN_OPEN).order_by("-pk")
        oldest = ended.values_list("pk", flat=True)[conf.KEEP_LOGS_OF : conf.KEEP_LOGS_OF + 1].first()
        if oldest is None:
            continue
        old = ended.filter(pk__lte=oldest).exclude(pk__in=revertible_runs().values("pk")).order_by()
        count += LogEntry.objects.filter(run__in=old).delete()[0]
        count += PromotionProposal.objects.filter(run__in=old).delete()[0]
        # A snapshot stays that a run which is kept, the guard or a drift compares with.
        snapshots = MasterSnapshot.objects.filter(group=group)
        accepted = snapshots.filter(accepted=True).order_by()  # the guard compares with the latest of each type
        latest = accepted.values("type").annotate(pk_max=Max("pk")).values("pk_max")
        staying = runs.exclude(pk__in=old.values("pk")).filter(snapshot__isnull=False).order_by()
        unused = snapshots.exclude(pk__in=staying.values("snapshot")).exclude(pk__in=latest)
        count += unused.exclude(pk__in=drift.bases()).delete()[0]
    return count
