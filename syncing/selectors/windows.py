"""Reads the windows of groups, with the times at which they open next."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from accounts import clock
from accounts.models import SyncGroup
from syncing.cron import next_times
from syncing.models import Window


def windows_of(group: SyncGroup | None) -> QuerySet[Window]:
    """Returns the windows of a group, or of all, in the order in which they were added."""
    windows = Window.objects.select_related("group").order_by("pk")
    return windows if group is None else windows.filter(group=group)


def openings(window: Window) -> list[datetime]:
    """Returns the next three times at which it opens."""
    return next_times(window.cron, window.zone, clock.now())


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
