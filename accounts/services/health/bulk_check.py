"""Checking the connections of many accounts as a job of the queue, with progress in rows of its own.

Rows are the truth, messages only say "there is work": lost, doubled or late, they do no harm. A job is worked in
slices, one after another; who works a slice holds the job until its last sign of life is `LEASE` old.
"""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import clock
from accounts.kommo.errors import IpBlocked
from accounts.kommo.stopping import Stop
from accounts.models import Account, CheckedAccount, ConnectionCheck
from accounts.services import queue
from accounts.services.health import store
from accounts.services.health.store import HealthReport

TASK = "accounts.tasks.check_slice"  # by name: tasks import services, not the reverse
SLICE = 25  # accounts; even if nobody answers, far below the queue's timeout
LEASE = timedelta(seconds=30)  # six signs of life
GIVE_UP = timedelta(hours=2)  # a job that ends every worker that takes it must not come back for ever
KEPT = 20


def start_check(account_ids: Iterable[int] | None = None, *, by: User | None = None) -> ConnectionCheck:
    """A job that checks these accounts (None: all of them), or the one that is still at it; `by` is who asks for it."""
    rows = Account.objects.all() if account_ids is None else Account.objects.filter(pk__in=list(account_ids))
    ids = frozenset(rows.values_list("pk", flat=True))
    return _twin(ids) or _alone(_new(ids, by), ids)


def _twin(ids: frozenset[int], before: int | None = None) -> ConnectionCheck | None:
    """The oldest job at work on exactly these accounts."""
    at_work = ConnectionCheck.objects.filter(finished_at=None).order_by("pk")
    for check in at_work if before is None else at_work.filter(pk__lt=before):
        if frozenset(check.items.values_list("account", flat=True)) == ids:
            return check
    return None


@transaction.atomic
def _new(ids: frozenset[int], by: User | None) -> ConnectionCheck:
    check = ConnectionCheck.objects.create(requested_by=by, finished_at=None if ids else timezone.now())
    ordered = Account.objects.filter(pk__in=ids).values_list("pk", flat=True)  # the master first, as in the list
    CheckedAccount.objects.bulk_create(CheckedAccount(check_order=check, account_id=pk) for pk in ordered)
    old = ConnectionCheck.objects.filter(finished_at__isnull=False).order_by("-pk")[KEPT - 1 :]
    ConnectionCheck.objects.filter(pk__in=list(old.values_list("pk", flat=True))).exclude(pk=check.pk).delete()
    return check


def _alone(check: ConnectionCheck, ids: frozenset[int]) -> ConnectionCheck:
    """Written first and looked at then, so that of two that were asked for at the same moment the older remains."""
    if check.finished_at is not None:
        return check
    twin = _twin(ids, before=check.pk)
    if twin is not None:
        check.delete()
        return twin
    queue.send(TASK, check.pk)
    return check


# -- in a worker --


def work(check_id: int) -> str:
    """The next slice of the job, then its continuation; says what there was to do."""
    check = _claim(check_id)
    if check is None:
        return "ended, or in other hands"
    open_items = check.items.filter(done_at=None)
    ids = list(open_items.values_list("account", flat=True)[:SLICE])
    if _check(check_id, ids):
        _finish(check_id, _blocked_note(open_items.count()))
        return "blocked"
    if not open_items.exists():
        _finish(check_id, "")
        return "done"
    ConnectionCheck.objects.filter(pk=check_id).update(beat_at=clock.now() - LEASE)
    queue.send(TASK, check_id)
    return "to be continued"


def _claim(check_id: int) -> ConnectionCheck | None:
    """The job, held from now on; None when somebody else holds it, or it has ended."""
    moment = clock.now()
    free = ConnectionCheck.objects.filter(Q(beat_at=None) | Q(beat_at__lte=moment - LEASE), pk=check_id)
    if not free.filter(finished_at=None).update(beat_at=moment):
        return None
    return ConnectionCheck.objects.filter(pk=check_id).first()


def _check(check_id: int, account_ids: list[int]) -> bool:
    """Checks these accounts and keeps each outcome as it comes; True when the IP turned out to be blocked."""
    stop = Stop()
    for account_id, report in store.check_each(account_ids, stop=stop, beat=partial(_beat, check_id)):
        _keep(check_id, account_id, report)
    return stop.is_set


def _beat(check_id: int) -> None:
    ConnectionCheck.objects.filter(pk=check_id).update(beat_at=clock.now())


def _keep(check_id: int, account_id: int, report: HealthReport) -> None:
    CheckedAccount.objects.filter(check_order=check_id, account=account_id, done_at=None).update(
        health=report.health, reason=report.reason, done_at=timezone.now()
    )


def _finish(check_id: int, note: str) -> None:
    ConnectionCheck.objects.filter(pk=check_id, finished_at=None).update(finished_at=timezone.now(), note=note[:500])


def _blocked_note(missing: int) -> str:
    missed = ngettext("%d account was not asked.", "%d accounts were not asked.", missing) % missing
    return f"{_(IpBlocked.remedy)} {missed}" if missing else _(IpBlocked.remedy)


# -- repair --


def resume() -> int:
    """Asks again for jobs that nobody works (a lost message, a dead worker); gives their number.

    To be called every minute or so; may run anywhere, any number of times at once.
    """
    hopeless = ConnectionCheck.objects.filter(finished_at=None, created_at__lt=timezone.now() - GIVE_UP)
    hopeless.update(finished_at=timezone.now(), note=_("Given up after 2 hours. Look into the worker's log."))
    return sum(_call_again(check_id) for check_id in _forsaken().values_list("pk", flat=True))


def _forsaken() -> QuerySet[ConnectionCheck]:
    """Unfinished, and without a sign of life for longer than a message that is only late would take."""
    moment = clock.now()
    never = Q(Q(created_at__lt=moment - LEASE) | clock.beyond("created_at", moment), beat_at=None)
    return ConnectionCheck.objects.filter(never | Q(beat_at__lt=moment - 2 * LEASE), finished_at=None)


def _call_again(check_id: int) -> bool:
    """The row count names the one who asks, so that there is one message a minute at most."""
    if not _forsaken().filter(pk=check_id).update(beat_at=clock.now() - LEASE):
        return False
    queue.send(TASK, check_id)
    return True
