"""Reads of what happens without a person: what is overdue, what went wrong, and one sentence about each group.

Nobody notices what does not happen. So the watchers, the schedules and the workers have times at which they are
expected, and whoever wants to be told asks here: the status, `/readyz`, the dashboard, `doctor`, and `PING_URL`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Q, Subquery
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django_q.models import Schedule as QueueSchedule

from accounts import clock
from accounts.models import SyncGroup, WatchMode
from accounts.own_words import translated
from syncing import conf
from syncing.leases import processes
from syncing.models import (
    AUTOMATIC,
    RUN_OPEN,
    Process,
    ProcessKind,
    RunPurpose,
    RunState,
    Schedule,
    SyncRun,
    Watch,
    WatchState,
)
from syncing.presentation import times
from syncing.selectors.watch import is_overdue, state_shown
from syncing.windows import shown_time

BAD_ENDS = (RunState.FAILED, RunState.PARTIAL, RunState.REFUSED)
OVERDUE = ("workers", "watcher", "schedule")  # codes
ROUND = "reaper"  # the name of the queue's own schedule that some worker's cluster serves every minute


@dataclass(frozen=True)
class AutomationTrouble:
    """Something that should have happened by itself and did not, or that went wrong."""

    code: str  # overdue: watcher, schedule, workers; else schedule_skipped, drift_check, run
    group: str  # its name; "" when it concerns all
    since: datetime | None
    message: str
    remedy: str
    subject: str = ""  # what is overdue, the same as long as it is

    @property
    def document(self) -> dict[str, Any]:
        """Returns it as `GET /api/sync/status` has it."""
        return {name: value for name, value in vars(self).items() if name != "subject"} | {"group": self.group or None}

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"


@dataclass(frozen=True)
class AutomationState:
    """All that is stored of the automation, as it is at `moment`; `schedules`: those that are enabled."""

    moment: datetime
    groups: Sequence[SyncGroup]
    watchers: Mapping[int, Watch]
    schedules: Mapping[int, Sequence[Schedule]]

    @cached_property
    def workers_alive(self) -> int:
        return processes.workers_alive(self.moment)

    @property
    def is_on(self) -> bool:
        """Tells whether anything is to happen by itself, so that a worker is needed."""
        return any(self.is_on_in(group) for group in self.groups)

    def is_on_in(self, group: SyncGroup) -> bool:
        return group.watch != WatchMode.OFF or bool(group.drift_hours) or bool(self.schedules.get(group.pk))


def automation_state() -> AutomationState:
    """Reads the groups with their watchers, and their schedules, in two queries."""
    groups = list(SyncGroup.objects.select_related("watcher"))
    watchers: dict[int, Watch] = {group.pk: group.watcher for group in groups if hasattr(group, "watcher")}
    schedules: dict[int, list[Schedule]] = defaultdict(list)
    for schedule in Schedule.objects.filter(group__in=[group.pk for group in groups], enabled=True):
        schedules[schedule.group_id].append(schedule)
    return AutomationState(clock.now(), groups, watchers, schedules)


# -- what is overdue --


def overdue(state: AutomationState) -> list[AutomationTrouble]:
    """Returns what should have happened by now: the workers first, as all else may be waiting for them."""
    return [*_workers(state), *_watchers(state), *_schedules(state)]


def _workers(state: AutomationState) -> Iterator[AutomationTrouble]:
    """Yields that no worker lives, where one is needed."""
    if not state.is_on or state.workers_alive:
        return
    since = _last_sign_of_a_worker()
    if since is None or state.moment > since + conf.lease() + timedelta(seconds=conf.tick()):
        if since is None:
            message = _("No worker has run yet, so nothing happens by itself.")
        else:
            when = shown_time(since, settings.TIME_ZONE)
            message = _("No worker has been alive since %(time)s, so nothing happens by itself.") % {"time": when}
        remedy = _("Start one: `manage.py up`, or `manage.py worker`.")
        yield AutomationTrouble("workers", "", since, message, remedy)


def _last_sign_of_a_worker() -> datetime | None:
    """Returns when a worker was last heard of: its heartbeat, or what the queue's clock says.

    A worker that ends as it should takes its row along; the queue's schedule of every minute stays, due.
    """
    beats = Process.objects.exclude(kind=ProcessKind.FOREGROUND).order_by().values_list("heartbeat_at", flat=True)
    due = QueueSchedule.objects.filter(name=ROUND).order_by().values_list("next_run", flat=True)
    return max(filter(None, beats.union(due)), default=None)


def _watchers(state: AutomationState) -> Iterator[AutomationTrouble]:
    """Yields the watched masters that were not looked at in time."""
    for group in state.groups:
        watch = state.watchers.get(group.pk)
        if watch is None or not is_overdue(watch, state.moment):
            continue
        facts = {"group": group.name, "time": shown_time(watch.last_look, group.time_zone) if watch.last_look else ""}
        if watch.last_look:
            message = _("The master of the group %(group)s has not been looked at since %(time)s.") % facts
        else:
            message = _("The master of the group %(group)s has not been looked at yet.") % facts
        remedy = translated(watch.problem) or _("See whether a worker runs. `manage.py watch` looks at the master now.")
        yield AutomationTrouble("watcher", group.name, watch.due_at, message, remedy, "watcher")


def _schedules(state: AutomationState) -> Iterator[AutomationTrouble]:
    """Yields the schedules that did not start in time."""
    prompt = conf.lease() + timedelta(seconds=2 * conf.tick())  # until another worker has taken over
    for group in state.groups:
        for schedule in state.schedules.get(group.pk, ()):
            due = schedule.next_at
            if due is None or state.moment <= due + timedelta(minutes=schedule.grace) + prompt:
                continue
            zone = schedule.time_zone or group.time_zone
            facts = {"schedule": str(schedule), "group": group.name, "time": shown_time(due, zone)}
            message = _("The schedule %(schedule)s of the group %(group)s was due %(time)s and did not start.") % facts
            remedy = _("See whether a worker runs.")
            yield AutomationTrouble("schedule", group.name, due, message, remedy, f"schedule {schedule.pk}")


# -- what went wrong --


def failing(state: AutomationState) -> list[AutomationTrouble]:
    """Returns what came about in time, but did nothing: schedules and checks that could not start a run.

    While a group is paused they have a good reason.
    """
    remedy = _("The next time it tries again.")
    troubles = []
    for group in state.groups:
        if group.is_paused_at(state.moment):
            continue
        for schedule in state.schedules.get(group.pk, ()):
            if schedule.problem:
                facts = {"schedule": str(schedule), "group": group.name, "problem": translated(schedule.problem)}
                message = _("The schedule %(schedule)s of the group %(group)s started nothing. %(problem)s") % facts
                troubles.append(AutomationTrouble("schedule_skipped", group.name, None, message, remedy))
        if group.drift_hours and group.drift_problem:
            facts = {"group": group.name, "problem": translated(group.drift_problem)}
            message = _("The check for drift of the group %(group)s could not start. %(problem)s") % facts
            troubles.append(AutomationTrouble("drift_check", group.name, None, message, remedy))
    return troubles


def badly_ended() -> list[AutomationTrouble]:
    """Returns the groups in which the last run that came by itself ended badly; a later one of a person may mend that.

    Runs of some accounts count where they came by themselves: they are the next attempt of those that failed.
    """
    mended = Q(purpose=RunPurpose.SYNC, whole_group=True, state=RunState.SUCCEEDED)
    judged = SyncRun.objects.filter(Q(trigger__in=AUTOMATIC) | mended, group=OuterRef("pk")).exclude(state__in=RUN_OPEN)
    last = SyncGroup.objects.order_by().annotate(last=Subquery(judged.order_by("-pk").values("pk")[:1])).values("last")
    bad = SyncRun.objects.filter(pk__in=last, state__in=BAD_ENDS).select_related("group").order_by("group__name")
    return [
        AutomationTrouble(
            "run",
            run.group.name,
            run.finished_at,
            _("Run %(run)d of the group %(group)s ended as: %(state)s.")
            % {"run": run.pk, "group": run.group.name, "state": run.get_state_display()},
            _("See its page."),
        )
        for run in bad
    ]


# -- one sentence about a group --


def sentence(group: SyncGroup, state: AutomationState) -> str:
    """Returns what happens in the group by itself, for people."""
    if not state.is_on_in(group):
        return _("Nothing happens by itself.")
    parts = [_watch_sentence(group, state)] if group.watch != WatchMode.OFF else []
    coming = [(each.next_at, each) for each in state.schedules.get(group.pk, ()) if each.next_at]
    if coming:
        time, schedule = min(coming, key=lambda each: each[0])
        text = _("Next by schedule: %(kind)s, %(time)s.")
        parts.append(times.filled(text, kind=schedule.get_kind_display(), time=times.near(time)))
    if group.drift_hours:
        parts.append(_("Checks for drift every %(hours)d hours.") % {"hours": group.drift_hours})
    return format_html_join(" ", "{}", ((part,) for part in parts))


def _watch_sentence(group: SyncGroup, state: AutomationState) -> str:
    """Says when the master was looked at, when it changed, and how its watcher is."""
    watch = state.watchers.get(group.pk)
    watch_state = WatchState(state_shown(group, watch, state.moment))
    label = str(watch_state.label)
    facts = [
        times.filled(_("last look %(when)s"), when=times.ago(watch.last_look))
        if watch and watch.last_look
        else _("no look yet"),
        times.filled(_("last change %(when)s"), when=times.near(watch.last_change))
        if watch and watch.last_change
        else _("no change seen yet"),
        label[:1].lower() + label[1:],
    ]
    joined = format_html_join(", ", "{}", ((fact,) for fact in facts))
    return times.filled(_("Watching the master: %(facts)s."), facts=joined)
