"""Repairs what a clock that was set back leaves in rows (`accounts.clock`): leases, signs of life, pauses, looks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.db.models import Max, QuerySet
from django_q.models import Schedule

from accounts import clock
from accounts.clock import SLACK, beyond
from accounts.models import ConnectionCheck, RequestSlot, WriteProbe
from syncing import conf
from syncing.engine.watching import grace, longest_wait
from syncing.leases.resting import rest_length
from syncing.models import RUN_OPEN, AccountRun, AccountState, LogEntry, Process, SyncRun, Watch

LONGEST_PERIOD = timedelta(hours=1)  # of our schedules


def pull_in() -> int:
    """Brings back what is further ahead than it can have been written; returns how many rows. May run anywhere.

    A lease begins anew rather than end: its holder, if it lives, writes it again long before that, and two must never
    send to one account.
    """
    moment, count = clock.now(), 0
    for rows, column, value in _stored(moment):
        if rows.exists():  # only then the database is asked to write
            count += rows.update(**{column: value})
    return count


def _stored(moment: datetime) -> Iterator[tuple[QuerySet[Any], str, datetime]]:
    """Yields rows that are further ahead than they can have been written, with the column and its new value."""
    lease = conf.lease()
    held = AccountRun.objects.filter(state=AccountState.RUNNING)
    open_runs = SyncRun.objects.filter(state__in=RUN_OPEN)
    yield held.filter(beyond("lease_until", moment, lease)), "lease_until", moment + lease
    yield open_runs.filter(beyond("lease_until", moment, lease)), "lease_until", moment + lease
    yield Process.objects.filter(beyond("heartbeat_at", moment)), "heartbeat_at", moment
    for run in open_runs.filter(wave_due_at__gt=moment).select_related("group"):
        pause = timedelta(minutes=run.group.wave_wait)
        yield open_runs.filter(beyond("wave_due_at", moment, pause), pk=run.pk), "wave_due_at", moment
    for run in open_runs.filter(rests_until__gt=moment):
        yield open_runs.filter(beyond("rests_until", moment, rest_length(run.rests)), pk=run.pk), "rests_until", moment
    yield from _of_watchers(moment)
    yield ConnectionCheck.objects.filter(beyond("beat_at", moment), finished_at=None), "beat_at", moment
    yield Schedule.objects.filter(beyond("next_run", moment, LONGEST_PERIOD)), "next_run", moment
    yield AccessAttempt.objects.filter(beyond("attempt_time", moment)), "attempt_time", moment


def _of_watchers(moment: datetime) -> Iterator[tuple[QuerySet[Any], str, datetime]]:
    """Yields the same of watchers, so that no alarm is lost.

    A change that waits is taken for one that was seen now; the master is looked at now.
    """
    for watch in Watch.objects.exclude(next_look=None).select_related("group"):
        row = Watch.objects.filter(pk=watch.pk)
        longest = longest_wait(watch.group.look_seconds, watch.group.quiet_seconds)
        alarm = longest + grace(watch.group.look_seconds)
        yield row.filter(beyond("next_look", moment, longest)), "next_look", moment
        yield row.filter(beyond("due_at", moment, alarm)), "due_at", moment + alarm
        for column in ("pending_since", "pending_read_at"):
            yield row.filter(beyond(column, moment)), column, moment


def set_back() -> timedelta:
    """Returns by how much the clock was set back at least, as the newest rows tell; 0 when they are all past."""
    moment = clock.now()
    columns = ((LogEntry, "at"), (SyncRun, "created_at"), (WriteProbe, "written_at"))
    newest = [model.objects.aggregate(at=Max(column))["at"] for model, column in columns]
    written = RequestSlot.objects.aggregate(at=Max("written_at"))["at"]
    newest.append(datetime.fromtimestamp(written, UTC) if written else None)
    ahead = max((at - moment for at in newest if at is not None), default=timedelta(0))
    return ahead if ahead > SLACK else timedelta(0)
