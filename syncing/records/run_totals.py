"""Counts ended runs in totals that outlive them: what only grows may not be counted from rows that can be deleted."""

from django.db.models import F

from syncing.models import RunTotal, SyncRun


def count_ended(run_id: int) -> None:
    """Counts a run that has just ended; in the transaction that ended it, so that it counts exactly once."""
    state, trigger = SyncRun.objects.values_list("state", "trigger").get(pk=run_id)
    total = RunTotal.objects.filter(state=state, trigger=trigger)
    if not total.update(count=F("count") + 1):
        RunTotal.objects.bulk_create([RunTotal(state=state, trigger=trigger)], ignore_conflicts=True)
        total.update(count=F("count") + 1)
