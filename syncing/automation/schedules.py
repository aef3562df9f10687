"""Starts the runs of schedules when their times come: each time once, however many workers look."""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import clock
from accounts.refusals import Refusal
from syncing import conf
from syncing.cron import times_until
from syncing.error_boundary import survived
from syncing.models import RunMode, Schedule, ScheduleKind, SyncRun
from syncing.presentation.holds import paused_sentence
from syncing.records.text import short
from syncing.services.actors import SCHEDULE
from syncing.services.drift_checks import check_now
from syncing.services.runs.start import start_run
from syncing.services.schedules import next_time
from syncing.windows import shown_time

logger = logging.getLogger(__name__)

TICK = timedelta(microseconds=1)


def start_due() -> int:
    """Starts the runs of all schedules whose time has come; returns how many times were settled. May run anywhere."""
    due = Schedule.objects.filter(enabled=True, next_at__lte=clock.now()).select_related("group").order_by("next_at")
    count = 0
    for schedule in list(due):
        with survived(f"the schedule {schedule.pk}", group=schedule.group_id):
            count += _settle(schedule)
    return count


def _settle(schedule: Schedule) -> bool:
    """Starts the run of a schedule, or says why not; False when another worker was faster.

    One UPDATE decides, in the transaction that makes the rows of the run: whoever dies has started nothing, and the
    time is due still.
    """
    moment = clock.now()
    with transaction.atomic():
        due = Schedule.objects.filter(pk=schedule.pk, enabled=True, next_at=schedule.next_at)
        if not due.update(next_at=next_time(schedule, moment)):
            return False
        problem, run = _why_skipped(schedule, moment), None
        if not problem:
            try:
                run = _start(schedule)
            except Refusal as error:
                problem = str(error)
        if problem:
            logger.warning("The schedule %s (%s) started nothing: %s", schedule.pk, schedule, problem)
        columns = {"fired_at": moment, "run": run} if run else {}
        Schedule.objects.filter(pk=schedule.pk).update(problem=short(problem), **columns)
    return True


def _why_skipped(schedule: Schedule, moment: datetime) -> str:
    """Returns why the time that has come starts nothing: it was missed too long ago, or the group is paused.

    A run that would write waits for the end of a pause; what only looks is not worth waiting.
    """
    assert schedule.next_at is not None
    latest = next(times_until(schedule.cron, schedule.zone, moment + TICK), schedule.next_at)
    missed = max(schedule.next_at, latest)  # of several times, only this one is made up for
    prompt = timedelta(seconds=2 * conf.tick())  # a worker that is well has looked by then
    if moment - missed > max(timedelta(minutes=schedule.grace), prompt):
        facts = {"time": shown_time(missed, schedule.zone), "grace": schedule.grace}
        return _("The time %(time)s was missed by more than the grace of %(grace)d minutes.") % facts
    return "" if schedule.kind == ScheduleKind.APPLY else paused_sentence(schedule.group)


def _start(schedule: Schedule) -> SyncRun:
    if schedule.kind == ScheduleKind.DRIFT:
        return check_now(schedule.group, by=SCHEDULE).run
    mode = RunMode.PLAN if schedule.kind == ScheduleKind.PLAN else RunMode.APPLY
    return start_run(group=schedule.group, mode=mode, by=SCHEDULE).run
