"""Schedules of groups, as people add, change and remove them; every change is audited."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import clock
from accounts.actors import ADMIN, Actor
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from syncing.cron import times_after
from syncing.models import AuditAction, Schedule
from syncing.services import audit
from syncing.services.requirements import CHANGE_GROUP, require_permission, require_valid

COLUMNS = ("kind", "cron", "time_zone", "grace", "enabled")
DECIDE_TIMES = {"cron", "time_zone", "enabled"}


def next_time(schedule: Schedule, after: datetime) -> datetime | None:
    """Returns the first time after a moment; None for a schedule that is switched off, or whose time never comes."""
    return next(times_after(schedule.cron, schedule.zone, after), None) if schedule.enabled else None


def add(schedule: Schedule, *, by: Actor) -> Schedule:
    """Stores a new schedule; its first time is the next one from now. Raises Refusal."""
    require_permission(by, CHANGE_GROUP)
    require_valid(schedule, COLUMNS)
    with transaction.atomic():
        group = SyncGroup.objects.select_for_update().get(pk=schedule.group_id)
        # Who clicks twice adds one; scripts may go on adding as they like.
        if by.via == ADMIN and group.schedules.filter(**_facts(schedule)).exists():
            message = _("The group %(group)s has this schedule already.") % {"group": group.name}
            raise Refusal("exists", message, _("Change that one, or choose another time."))
        schedule.next_at = next_time(schedule, clock.now())
        schedule.save(force_insert=True)
        _note(schedule, by, added=_facts(schedule))
    return schedule


def change(schedule: Schedule, names: Collection[str], *, by: Actor) -> None:
    """Stores the changed columns `names`. Another time begins from now; nothing that was missed is made up for.

    What a worker stores beside, as the time at which it fired, is not touched. Raises Refusal.
    """
    require_permission(by, CHANGE_GROUP)
    require_valid(schedule, names)
    with transaction.atomic():
        stored = Schedule.objects.select_for_update().get(pk=schedule.pk)
        changes = audit.changes(_facts(stored), _facts(schedule), names)
        columns: dict[str, Any] = {name: new for name, (_old, new) in changes.items()}
        if DECIDE_TIMES & changes.keys():
            columns |= {"next_at": next_time(schedule, clock.now()), "problem": ""}
        if columns:
            Schedule.objects.filter(pk=schedule.pk).update(**columns)
            _note(schedule, by, **changes)


def remove(schedule: Schedule, *, by: Actor) -> None:
    """Deletes a schedule; the runs that it started stay. Raises Refusal."""
    require_permission(by, CHANGE_GROUP)
    with transaction.atomic():
        _note(schedule, by, removed=_facts(schedule))
        schedule.delete()


def zone_changed(group: SyncGroup) -> int:
    """Sets the next times of the schedules that go by the zone of the group, after it has another one."""
    moment = clock.now()
    count = 0
    for schedule in group.schedules.filter(time_zone="", enabled=True):
        schedule.group = group
        count += Schedule.objects.filter(pk=schedule.pk).update(next_at=next_time(schedule, moment))
    return count


def _facts(schedule: Schedule) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in COLUMNS}


def _note(schedule: Schedule, by: Actor, **details: Any) -> None:
    audit.note(AuditAction.AUTOMATION, by=by, group=schedule.group, details={"schedule": schedule.pk, **details})
