"""Reads the windows of groups, with the times at which they open next."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from accounts import clock
from accounts.models import SyncGroup
from syncing.cron import next_times
from syncing.models import Window
from syncing.windows import Opening, end_of_freeze


def windows_of(group: SyncGroup | None) -> QuerySet[Window]:
    """Returns the windows of a group, or of all, in the order in which they were added."""
    windows = Window.objects.select_related("group").order_by("pk")
    return windows if group is None else windows.filter(group=group)


def openings(window: Window) -> list[datetime]:
    """Returns the next three times at which it opens."""
    return next_times(window.cron, window.zone, clock.now())


def frozen_groups(groups: Iterable[SyncGroup], moment: datetime) -> dict[int, datetime]:
    """Returns until when each group is frozen that is, by its key; NEVER if it does not end. In one query."""
    by_key, openings = {group.pk: group for group in groups}, defaultdict(list)
    for window in Window.objects.filter(group__in=by_key):
        openings[window.group_id].append(Opening.of(window, by_key[window.group_id]))
    ends = {key: end_of_freeze(found, moment) for key, found in openings.items()}
    return {key: end for key, end in ends.items() if end is not None}


def window_document(window: Window) -> dict[str, Any]:
    """Returns what programs are told (docs/interface.md)."""
    return {
        "id": window.pk,
        "group": window.group.name,
        "kind": window.kind,
        "cron": window.cron,
        "time_zone": window.zone,
        "minutes": window.minutes,
        "next": [time.isoformat() for time in openings(window)],
    }
