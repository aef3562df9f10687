"""Retries: accounts in which a run failed that nobody attended to are tried again, less and less often.

Only runs that automation started are tried again, and only while automation may write in the group: its watcher
applies what it finds, or it has a schedule that does. An account waits until it ends well, the master has changed
(then the run that brings the change tries it), or somebody has to see to it; it is never given up after a time.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from accounts import clock
from accounts.clock import beyond
from accounts.models import SECRETS, Account, SyncGroup, WatchMode, pause_is_on
from accounts.refusals import Refusal
from syncing.error_boundary import survived
from syncing.models import (
    RUN_OPEN,
    AccountRetry,
    AccountRun,
    AccountState,
    LogEntry,
    RunMode,
    RunPurpose,
    RunType,
    Schedule,
    ScheduleKind,
    SyncRun,
    Trigger,
    Watch,
    master_unread,
)
from syncing.policy import scope_of
from syncing.purposes import purpose_of
from syncing.records.log import log
from syncing.records.snapshots import last_accepted
from syncing.services.actors import RETRY
from syncing.services.runs.close import close_run, end_accounts
from syncing.services.runs.create import Order, locked
from syncing.services.runs.holds import BY_HAND
from syncing.services.runs.start import start_order
from syncing.windows import frozen_until

LONGEST = timedelta(hours=6)
MOST_DOUBLINGS = 9  # 2 ** 9 minutes are more than the longest time
MOST_FAILURES = 1000  # that are counted
RETRIED = (Trigger.WATCH, Trigger.RETRY, Trigger.SCHEDULE)
WELL = (AccountState.IN_SYNC, AccountState.CHANGED)
FAILED = (AccountState.FAILED, AccountState.PARTIAL)
LEFT_OUT = (AccountState.SKIPPED, AccountState.CANCELLED)
CONFLICT, PAUSED = "conflict", "paused"

logger = logging.getLogger(__name__)


def waiting_time(group: SyncGroup, failures: int) -> timedelta:
    """Returns how long an account waits after so many failures in a row."""
    doublings = min(failures - 1, MOST_DOUBLINGS)
    return min(LONGEST, timedelta(minutes=group.retry_minutes * 2**doublings))


# -- after a run --


def follow(run: SyncRun) -> None:
    """Stores which accounts of `run` are to be tried again, and which no longer.

    A run of a person starts no retries, but those that wait begin to count anew with it.
    """
    if not purpose_of(run.purpose).compares_with_master or run.picked:
        return
    account_runs = run.account_runs.only("account", "state", "reason")
    if scope_of(run.type, run.group) == scope_of(RunType.FULL, run.group):
        AccountRetry.objects.filter(account__in=account_runs.filter(state__in=WELL).values("account")).delete()
    if not run.writes or run.purpose != RunPurpose.SYNC:
        return
    rows = AccountRetry.objects.in_bulk(account_runs.values_list("account", flat=True))
    rest = list(account_runs.exclude(state__in=WELL))
    for_people = [account_run.account_id for account_run in rest if _is_for_people(account_run)]
    AccountRetry.objects.filter(pk__in=for_people).delete()
    retries = [
        _renewed(run, account_run.account_id, rows.get(account_run.account_id))
        for account_run in rest
        if _is_to_be_tried_again(run, account_run, rows.get(account_run.account_id))
    ]
    columns = ["fingerprint", "failures", "due_at"]
    AccountRetry.objects.bulk_create(retries, update_conflicts=True, update_fields=columns, unique_fields=["account"])


def _is_for_people(account_run: AccountRun) -> bool:
    """Tells whether trying again cannot help: somebody has to approve, to raise a limit, to settle a conflict."""
    in_conflict = account_run.state == AccountState.PARTIAL and account_run.reason == CONFLICT
    return account_run.state == AccountState.REFUSED or in_conflict


def _is_to_be_tried_again(run: SyncRun, account_run: AccountRun, row: AccountRetry | None) -> bool:
    """Tells whether an account that did not end well is tried again; `row`: what is stored of its retries."""
    if _is_for_people(account_run):
        return False
    if account_run.state in FAILED:
        known = row is not None or run.snapshot is not None
        return known and (run.trigger in RETRIED or (row is not None and run.trigger in BY_HAND))
    # A retry that did not reach the account: its master could not be read, say. One that is paused only waits.
    return run.trigger == Trigger.RETRY and row is not None and account_run.reason != PAUSED


def _renewed(run: SyncRun, account_id: int, row: AccountRetry | None) -> AccountRetry:
    """Returns the row of an account's next retry; failures with the same master count on, the others anew."""
    fingerprint = run.snapshot.fingerprint if run.snapshot else row.fingerprint if row else ""
    counts_on = row is not None and row.fingerprint == fingerprint and run.trigger not in BY_HAND
    failures = min(row.failures + 1, MOST_FAILURES) if row is not None and counts_on else 1
    due_at = (run.finished_at or clock.now()) + waiting_time(run.group, failures)
    return AccountRetry(account_id=account_id, fingerprint=fingerprint, failures=failures, due_at=due_at)


# -- when the time has come --


def start_due() -> int:
    """Starts a run in each group in which accounts are due; returns how many. May run anywhere, and several at once."""
    groups = AccountRetry.objects.filter(_is_due(clock.now())).values_list("account__group", flat=True)
    count = 0
    for group_id in sorted(set(groups)):
        with survived(f"the retries of group {group_id}", group=group_id):
            count += _start_in(group_id)
    return count


def _is_due(moment: datetime) -> Q:
    """Returns the condition of rows that are due; a time that a clock wrote which was set back since is no time."""
    return Q(due_at__lte=moment) | beyond("due_at", moment, LONGEST)


def _start_in(group_id: int) -> bool:
    """Starts the run of a group's due accounts, if it may begin; of several callers the first does."""
    with locked(SyncGroup(pk=group_id)) as group:
        if _has_to_wait(group):
            return False
        _drop_outdated(group)
        due = AccountRetry.objects.filter(_is_due(clock.now()), account__group=group, account__role=Account.Role.SLAVE)
        unpaused = Account.objects.filter(retry__in=due).exclude(pause_is_on())
        accounts = list(unpaused.defer(*SECRETS).order_by("pk"))
        if not accounts:
            return False
        try:
            order = Order(group, delta=True)
            if first := _first_attempt(accounts):
                order = replace(order, first_attempt=first, name=first.name, wish=first.wish)
            start_order(order, accounts, by=RETRY)
        except Refusal as refusal:
            logger.warning("The accounts of the group %s that failed could not be tried again: %s", group, refusal)
            for row in due:
                row.failures = min(row.failures + 1, MOST_FAILURES)
                row.due_at = clock.now() + waiting_time(group, row.failures)
                row.save()
            return False
    return True


def _first_attempt(accounts: Sequence[Account]) -> SyncRun | None:
    """Returns the run that a retry of the accounts repeats; where they failed in several, that of the most."""
    tried = AccountRun.objects.filter(
        account=OuterRef("pk"), run__mode=RunMode.APPLY, run__purpose=RunPurpose.SYNC, state__in=(*FAILED, *LEFT_OUT)
    )
    repeated = tried.order_by("-pk").annotate(root=Coalesce("run__first_attempt", "run")).values("root")[:1]
    rows = Account.objects.filter(pk__in=[account.pk for account in accounts]).annotate(root=Subquery(repeated))
    roots = Counter(root for root in rows.values_list("root", flat=True) if root is not None)
    return SyncRun.objects.filter(pk__in=[root for root, _number in roots.most_common(1)]).first()


def _has_to_wait(group: SyncGroup) -> bool:
    """Tells whether nothing may be tried again in a group now, by its settings or because something is under way."""
    master = Account.objects.filter(group=group, role=Account.Role.MASTER).defer(*SECRETS).first()
    return (
        group.is_paused
        or frozen_until(group, clock.now()) is not None
        or master is None
        or master.is_paused
        or group.requires_approval
        or not _may_write_by_itself(group)
        or _is_master_moving(group)
        or SyncRun.objects.filter(group=group, state__in=RUN_OPEN).exists()
    )


def _may_write_by_itself(group: SyncGroup) -> bool:
    schedules = Schedule.objects.filter(group=group, kind=ScheduleKind.APPLY, enabled=True)
    return group.watch == WatchMode.APPLY or schedules.exists()


def _is_master_moving(group: SyncGroup) -> bool:
    """Tells whether the watcher waits for the end of a change, which it brings itself, or cannot read the master."""
    moving = ~Q(pending_fingerprint="") | Q(failures__gt=0)
    return group.watch != WatchMode.OFF and Watch.objects.filter(moving, group=group).exists()


def _drop_outdated(group: SyncGroup) -> None:
    """Forgets what was to bring an earlier master; also of accounts that are the master now."""
    scope = scope_of(RunType.FULL, group)
    if scope is None:
        return
    current = last_accepted(group.pk, scope)
    fingerprint = current.fingerprint if current else ""
    rows = AccountRetry.objects.filter(account__group=group)
    rows.filter(~Q(fingerprint=fingerprint) | ~Q(account__role=Account.Role.SLAVE)).delete()


# -- while its master is read --


def end_if_outdated(run: SyncRun, fingerprint: str) -> bool:
    """Ends a retry that has met another master than the one it was to bring; True if it did.

    The change may be half made, and the run that brings it tries every account.
    """
    rows = AccountRetry.objects.filter(account__account_runs__run=run).exclude(fingerprint=fingerprint)
    if run.trigger != Trigger.RETRY or not run.writes or not rows.exists():
        return False
    sentence = _("The master has changed since these accounts failed; the run that brings the change tries them again.")
    with transaction.atomic():
        if SyncRun.objects.filter(master_unread(), pk=run.pk, state__in=RUN_OPEN).update(lease_until=None):
            end_accounts(run, AccountState.CANCELLED, "cancelled", note=sentence)
            rows.delete()
            log(run.pk, sentence, code="cancelled", level=LogEntry.Level.INFO)
    close_run(run.pk)
    return True
