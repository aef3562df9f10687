"""Reads the windows of groups, with the times at which they open next."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, prefetch_related_objects

from accounts import clock
from accounts.models import SyncGroup
from syncing.cron import next_times
from syncing.models import Window
from syncing.windows import frozen_until


def windows_of(group: SyncGroup | None) -> QuerySet[Window]:
    """Returns the windows of a group, or of all, in the order in which they were added."""
    windows = Window.objects.select_related("group").order_by("pk")
    return windows if group is None else windows.filter(group=group)


def openings(window: Window, moment: datetime | None = None) -> list[datetime]:
    """Returns the next three times at which it opens after `moment`, or after now."""
    return next_times(window.cron, window.zone, moment or clock.now())


def frozen_groups(groups: Sequence[SyncGroup], moment: datetime) -> dict[int, datetime]:
    """Returns until when each group is frozen that is, by its key; NEVER if it does not end. In one query."""
    prefetch_related_objects(groups, "windows")
    ends = {group.pk: frozen_until(group, moment) for group in groups}
    return {key: end for key, end in ends.items() if end is not None}


def window_document(window: Window, moment: datetime | None = None) -> dict[str, Any]:
    """Returns what programs are told (docs/interface.md); `moment`: now, for lists that ask for it once."""
    return {
        "id": window.pk,
        "group": window.group.name,
        "kind": window.kind,
        "cron": window.cron,
        "time_zone": window.zone,
        "minutes": window.minutes,
        "next": [time.isoformat() for time in openings(window, moment)],
    }
