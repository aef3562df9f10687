"""Counts the slaves that equal their master, day by day: today again and again, so that its last numbers stay."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import OuterRef, QuerySet, Subquery

from accounts import clock
from accounts.models import SyncGroup
from syncing.error_boundary import survived
from syncing.models import RUN_OPEN, ConformityDay, SyncRun
from syncing.selectors.conformity import EQUAL, UNKNOWN, conformity_of

AGAIN = timedelta(hours=1)  # after which today is counted again; after the end of a run at once


def count_due() -> int:
    """Counts the slaves of every group that is due; returns the number of groups. May run anywhere.

    Several at once write the same numbers.
    """
    moment, counted = clock.now(), 0
    for group in _groups():
        today = moment.astimezone(ZoneInfo(group.time_zone)).date()
        ended_since = group.ended_at is not None and group.counted_at is not None and group.ended_at > group.counted_at
        if group.day == today and not ended_since and moment < group.counted_at + AGAIN:
            continue
        with survived(f"the conformity of the group {group.pk}"):
            states = [slave.state for slave in conformity_of(group)]
            known = len(states) - states.count(UNKNOWN)
            numbers = {"equal": states.count(EQUAL), "known": known, "total": len(states), "counted_at": moment}
            ConformityDay.objects.update_or_create(group=group, day=today, defaults=numbers)
            counted += 1
    return counted


def _groups() -> QuerySet[Any]:
    """Selects the groups with the day that was counted last, when that was, and when their last run ended."""
    last = ConformityDay.objects.filter(group=OuterRef("pk")).order_by("-day")
    ended = SyncRun.objects.filter(group=OuterRef("pk")).exclude(state__in=RUN_OPEN).order_by("-pk")
    groups: QuerySet[Any] = SyncGroup.objects.annotate(
        day=Subquery(last.values("day")[:1]),
        counted_at=Subquery(last.values("counted_at")[:1]),
        ended_at=Subquery(ended.values("finished_at")[:1]),
    )
    return groups
