"""Checks the connections of many accounts as a job of the queue, with progress in rows of its own.

Rows are the truth, messages only say "there is work": lost, doubled or late, they do no harm. A job is worked in
slices, one after another; the worker of a slice holds the job until its last sign of life is `LEASE` old.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts import clock
from accounts.actors import Actor
from accounts.kommo.errors import IpBlocked
from accounts.kommo.stopping import Stop
from accounts.models import Account, CheckedAccount, ConnectionCheck
from accounts.services import queue
from accounts.services.health.check import check_each

TASK = "accounts.tasks.check_slice"  # by name: tasks import services, not the reverse
SLICE = 25  # accounts; even if nobody answers, far below the queue's timeout
LEASE = timedelta(seconds=30)  # six signs of life
GIVE_UP = timedelta(hours=2)  # a job that ends every worker that takes it must not come back for ever
KEPT = 20  # jobs
NOT_ASKED = gettext_noop("Accounts that were not asked: %(count)d.")
TOO_LONG = gettext_noop("The check was stopped after 2 hours. Look at the log of the worker.")


def start_check(account_ids: Iterable[int] | None = None, *, by: Actor | None = None) -> ConnectionCheck:
    """Starts a job that checks these accounts (None: all), or returns the one that is still at it; `by` asks for it."""
    rows = Account.objects.all() if account_ids is None else Account.objects.filter(pk__in=list(account_ids))
    ids = frozenset(rows.values_list("pk", flat=True))
    return _twin(ids) or _start_oldest(_create(ids, by), ids)


def _twin(ids: frozenset[int], before: int | None = None) -> ConnectionCheck | None:
    """Returns the oldest unfinished job for exactly these accounts."""
    unfinished = ConnectionCheck.objects.filter(finished_at=None).order_by("pk")
    for check in unfinished if before is None else unfinished.filter(pk__lt=before):
        if frozenset(check.items.values_list("account", flat=True)) == ids:
            return check
    return None


@transaction.atomic
def _create(ids: frozenset[int], by: Actor | None) -> ConnectionCheck:
    check = ConnectionCheck.objects.create(
        requested_by=by.user if by else None, finished_at=None if ids else timezone.now()
    )
    ordered = Account.objects.filter(pk__in=ids).values_list("pk", flat=True)  # the master first, as in the list
    CheckedAccount.objects.bulk_create(CheckedAccount(check_order=check, account_id=pk) for pk in ordered)
    old = ConnectionCheck.objects.filter(finished_at__isnull=False).order_by("-pk")[KEPT - 1 :]
    ConnectionCheck.objects.filter(pk__in=list(old.values_list("pk", flat=True))).exclude(pk=check.pk).delete()
    return check


def _start_oldest(check: ConnectionCheck, ids: frozenset[int]) -> ConnectionCheck:
    """Starts the job, unless there is an older one for the same accounts: of two that were asked for at the same
    moment, both written before either is looked at, the older remains."""
    if check.finished_at is not None:
        return check
    twin = _twin(ids, before=check.pk)
    if twin is not None:
        check.delete()
        return twin
    queue.send(TASK, check.pk)
    return check


# -- in a worker --


def run_slice(check_id: int) -> str:
    """Checks the next slice of the job, then asks for its continuation; says what there was to do."""
    moment = clock.now()
    check = ConnectionCheck.objects.filter(pk=check_id)
    free = check.filter(Q(beat_at=None) | Q(beat_at__lte=moment - LEASE), finished_at=None)
    if not free.update(beat_at=moment):
        return "ended, or in other hands"
    open_items = CheckedAccount.objects.filter(check_order=check_id, done_at=None)
    ids, stop = list(open_items.values_list("account", flat=True)[:SLICE]), Stop()
    for account_id, report in check_each(ids, stop=stop, beat=lambda: check.update(beat_at=clock.now())):
        outcome = {"health": report.health, "reason": report.reason, "done_at": timezone.now()}
        open_items.filter(account=account_id).update(**outcome)
    missed = open_items.count()
    if stop.is_set:
        _finish(check_id, f"{IpBlocked.remedy} {NOT_ASKED % {'count': missed}}" if missed else IpBlocked.remedy)
        return "blocked"
    if not missed:
        _finish(check_id, "")
        return "done"
    check.update(beat_at=clock.now() - LEASE)
    queue.send(TASK, check_id)
    return "to be continued"


def _finish(check_id: int, note: str) -> None:
    ConnectionCheck.objects.filter(pk=check_id, finished_at=None).update(finished_at=timezone.now(), note=note[:500])


# -- repair --


def resume() -> int:
    """Asks again for jobs that nobody works on (a lost message, a dead worker); returns their number.

    To be called every minute or so; may run anywhere, any number of times at once.
    """
    hopeless = ConnectionCheck.objects.filter(finished_at=None, created_at__lt=timezone.now() - GIVE_UP)
    hopeless.update(finished_at=timezone.now(), note=TOO_LONG)
    messages = 0
    for check_id in _abandoned().values_list("pk", flat=True):
        # The row count names the one who asks, so that there is one message a minute at most.
        if _abandoned().filter(pk=check_id).update(beat_at=clock.now() - LEASE):
            queue.send(TASK, check_id)
            messages += 1
    return messages


def _abandoned() -> QuerySet[ConnectionCheck]:
    """Returns unfinished jobs without a sign of life for longer than a message that is only late would take."""
    moment = clock.now()
    never = Q(Q(created_at__lt=moment - LEASE) | clock.beyond("created_at", moment), beat_at=None)
    return ConnectionCheck.objects.filter(never | Q(beat_at__lt=moment - 2 * LEASE), finished_at=None)
