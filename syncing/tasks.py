"""The tasks that the queue calls: no secrets, only ids and "there is work"."""

from typing import Any

from django.utils import timezone
from django_q.models import Schedule

from syncing import conf
from syncing.automation import ping, watcher
from syncing.execution import lanes, reaper, stop_signs
from syncing.leases import dispatch, processes

REAPER = "syncing.tasks.reap"
UPKEEP = "accounts.tasks.upkeep"


def lane() -> str:
    """Runs one slice of a lane, then queues its continuation; a lane too many leaves at once."""
    name = processes.new_name()
    if not processes.enlist(name):
        return "enough lanes"
    try:
        lanes.run_lane(
            name=name, slice_s=conf.SLICE, threads=conf.threads(conf.workers()), stop=stop_signs.supervisor_sign()
        )
    finally:
        processes.leave(name)
    # Looked for after the row is gone: a lane that came meanwhile left because of this one.
    if lanes.has_claimable():
        dispatch.call_lane()
        return "to be continued"
    return "nothing left"


def look(group_id: int) -> str:
    """Looks at the master of a group, if that is still due."""
    outcome = watcher.look(group_id, stop_signs.supervisor_sign())
    return "not due" if outcome is None else str(outcome.row.state)


def reap() -> dict[str, int]:
    """Makes the schedule's round of repairs, of which a monitor outside is told."""
    with ping.reported():
        return reaper.reap()


def ensure_schedules() -> None:
    """Creates the schedules that must be there; code only makes them, as one malformed row blocks them all."""
    _schedule("reaper", REAPER, {"schedule_type": Schedule.MINUTES, "minutes": 1})
    _schedule("upkeep", UPKEEP, {"schedule_type": Schedule.HOURLY, "minutes": None})


def _schedule(name: str, func: str, every: dict[str, Any]) -> None:
    empty = dict.fromkeys(("args", "kwargs", "hook", "cron"))
    defaults = {"func": func, **every, "repeats": -1, "next_run": timezone.now(), **empty}
    Schedule.objects.update_or_create(name=name, defaults=defaults)
