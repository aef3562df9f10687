"""How long it is kept how slaves were before runs, and what else a rollback needs."""

from datetime import timedelta

from django.db.models import QuerySet

from accounts import clock
from accounts.models import SyncGroup
from syncing.models import RUN_OPEN, SlaveSnapshot, SyncRun


def prune() -> int:
    """Forgets snapshots that are older than their group keeps them; not while a rollback goes by them."""
    count = 0
    for group in SyncGroup.objects.all():
        oldest = clock.now() - timedelta(days=group.snapshot_days)
        old = SlaveSnapshot.objects.filter(account_run__run__group=group, taken_at__lt=oldest)
        needed = SyncRun.objects.filter(group=group, state__in=RUN_OPEN, reverts__isnull=False).values("reverts")
        count += old.exclude(account_run__run__in=needed).delete()[0]
    return count


def kept_runs() -> QuerySet[SyncRun]:
    """The runs that can be rolled back still: their logs and master snapshots are needed for it."""
    return SyncRun.objects.filter(account_runs__before__isnull=False)
