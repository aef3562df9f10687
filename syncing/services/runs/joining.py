"""Triggers that come close together: the run that they join, and the one that waits until no more of them come.

Machines trigger: a Salesbot that runs for 500 leads asks 500 times within seconds. The first of them starts a run at
once. Whatever asks for the same while nobody has begun to read the master joins the run that waits; what comes later
becomes one follow-up, until `trigger_quiet_seconds` after the end of the run before.
"""

from collections.abc import Collection, Mapping, Set
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_noop

from accounts import clock
from accounts.actors import Actor
from accounts.clock import beyond
from accounts.models import SyncGroup
from syncing.models import REVIEWED, RUN_OPEN, LogEntry, RunState, SyncRun, Trigger

TRIGGERS = (Trigger.API, Trigger.WEBHOOK)
PERSONS = (Trigger.ADMIN, Trigger.COMMAND)
SAME = ("type", "mode", "purpose")  # columns in which runs of triggers that are one are equal
WHOLE: Mapping[str, Any] = {"picked": []}  # a run that puts single items back is no run that a trigger asks for


def not_begun(by: Actor) -> QuerySet[SyncRun]:
    """Returns the runs whose master nobody has begun to read: what asks for the same is served by them.

    What nobody attends to deletes less than what a person asks for (`REVIEWED`), so the two are not one.
    """
    runs = SyncRun.objects.filter(state=RunState.QUEUED, fence=0, cancel_requested_at=None)
    return runs if by.via in REVIEWED else runs.exclude(trigger__in=REVIEWED)


def of_exactly(runs: QuerySet[SyncRun], accounts: Collection[int]) -> QuerySet[SyncRun]:
    """Returns those of the runs that have these accounts (their ids) and no others."""
    mine = Count("account_runs", filter=Q(account_runs__account__in=accounts))
    return runs.annotate(of_all=Count("account_runs"), of_these=mine).filter(
        of_all=len(accounts), of_these=len(accounts)
    )


def waiting_for_workers(same: Mapping[str, Any], accounts: Set[int], by: Actor) -> SyncRun | None:
    """Returns the run that a trigger joins without a lock and without writing anything; None: it takes the long way.

    Of an API key, the run's rows have to tell already that it asked for it.
    """
    waiting = not_begun(by).filter(**same, **WHOLE, queued_to_workers=True)
    for run in waiting.only("group_id", "type", "mode"):
        if set(run.account_runs.order_by().values_list("account", flat=True)) == accounts:
            return None if is_worth_noting(run, by) else run
    return None


def is_worth_noting(run: SyncRun, by: Actor) -> bool:
    """Tells whether it is to be written down that they joined the run.

    Of a webhook nobody is known, and a key is named once per run, however often it asks.
    """
    return by.via != Trigger.WEBHOOK and not (by.via == Trigger.API and asked_before(run, by))


def asked_before(run: SyncRun, by: Actor) -> bool:
    """Tells whether the log of the run names this API key."""
    return by.key_id is not None and LogEntry.objects.filter(run=run, details__key=by.key_id).exists()


def run_before(
    group: SyncGroup, same: Mapping[str, Any], accounts: Collection[int], *, than: SyncRun | None = None
) -> SyncRun | None:
    """Returns the last run of the same for these accounts that is open, or ended less than the quiet period ago.

    What started it does not matter. `than`: only runs older than this one.
    """
    quiet, moment = timedelta(seconds=group.trigger_quiet_seconds), clock.now()
    if not quiet:
        return None
    recent = Q(finished_at__gt=moment - quiet) & ~beyond("finished_at", moment)
    runs = SyncRun.objects.filter(Q(state__in=RUN_OPEN) | recent, group=group, approved_plan=None, **same, **WHOLE)
    runs = runs.filter(pk__lt=than.pk) if than else runs
    return of_exactly(runs, accounts).order_by("-pk").first()


def why_it_waits(run: SyncRun) -> str:
    """Returns what a follow-up waits for; "" when no more triggers can join it, and for every other run."""
    if not run.joins_triggers:
        return ""
    accounts = set(run.account_runs.values_list("account", flat=True))
    same = {name: getattr(run, name) for name in SAME}
    before = run_before(run.group, same, accounts, than=run)
    return sentence(before, run.group) if before else ""


def sentence(before: SyncRun, group: SyncGroup) -> str:
    """Returns what the follow-up of the run `before` says."""
    return gettext_noop("it stands for all triggers that come until %(seconds)s s after the end of run %(run)s") % {
        "seconds": group.trigger_quiet_seconds,
        "run": before.pk,
    }
