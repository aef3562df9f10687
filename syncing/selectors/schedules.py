"""Reads the schedules of groups, with the times that come next."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from accounts import clock
from accounts.models import SyncGroup
from syncing.cron import next_times
from syncing.models import Schedule


def schedules_of(group: SyncGroup | None) -> QuerySet[Schedule]:
    """Returns the schedules of a group, or of all, in the order in which they were added."""
    schedules = Schedule.objects.select_related("group").order_by("pk")
    return schedules if group is None else schedules.filter(group=group)


def coming(schedule: Schedule, moment: datetime | None = None) -> list[datetime]:
    """Returns the next three times after `moment`, or after now; none of a schedule that is switched off."""
    return next_times(schedule.cron, schedule.zone, moment or clock.now()) if schedule.enabled else []


def schedule_document(schedule: Schedule, moment: datetime | None = None) -> dict[str, Any]:
    """Returns what programs are told (docs/interface.md); `moment`: now, for lists that ask for it once."""
    return {
        "id": schedule.pk,
        "group": schedule.group.name,
        "kind": schedule.kind,
        "cron": schedule.cron,
        "time_zone": schedule.zone,
        "grace": schedule.grace,
        "enabled": schedule.enabled,
        "next": [time.isoformat() for time in coming(schedule, moment)],
    }
