"""Lets a run rest in an outage of Kommo; after the last rest, what is left of it fails (docs/lifecycle.md 9).

The decision is one conditional UPDATE of the run's row, so of several lanes one makes it, and a rest outlives them all.
"""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts import clock
from accounts.kommo.errors import NetworkError, ServerError
from syncing.leases.resting import is_resting, rest_length
from syncing.models import AccountRun, AccountState, RunState, SyncRun
from syncing.records.log import log
from syncing.records.text import error_document
from syncing.services.runs.close import end_accounts

WEATHER = frozenset({ServerError.code, NetworkError.code})
LOOKED_AT = 20  # accounts that have ended last
AT_LEAST = 5  # of them
PERCENT = 30  # of the accounts ended by failures of servers or the network: that is an outage
MOST = 3  # rests of one run
GIVEN_UP_REMEDY = gettext_noop(
    "Kommo fails for many accounts: look at Kommo's status page, then retry the failed accounts or run again."
)
RESTS = gettext_noop(
    "Kommo fails for many accounts (%(failed)d of the last %(tried)d). The run rests until %(time)s, then goes on by "
    "itself (rest %(rest)d of %(most)d)."
)
GIVEN_UP = gettext_noop(
    "Kommo fails for many accounts (%(failed)d of the last %(tried)d), after %(most)d rests: what is left has failed."
)


def rest_or_give_up(run_id: int) -> bool:
    """Lets the run rest, or fails what is left, if servers or the network failed at too many accounts.

    Returns True to the one who did.
    """
    run = SyncRun.objects.filter(pk=run_id, state=RunState.RUNNING, cancel_requested_at=None).first()
    if run is None or is_resting(run):
        return False
    ended = AccountRun.objects.filter(run=run, finished_at__isnull=False)
    ended = ended.exclude(state__in=(AccountState.SKIPPED, AccountState.CANCELLED))
    if run.rests_until is not None:  # after a rest, it counts anew
        ended = ended.filter(started_at__gte=run.rests_until)
    rows = list(ended.order_by("-finished_at", "-pk").values_list("state", "reason")[:LOOKED_AT])
    failed, tried = sum(state == AccountState.FAILED and reason in WEATHER for state, reason in rows), len(rows)
    if tried < AT_LEAST or failed * 100 < PERCENT * tried:
        return False
    if not AccountRun.objects.filter(run=run, state=AccountState.QUEUED).exists():
        return False
    numbers = {"failed": failed, "tried": tried}
    return _rest(run, numbers) if run.rests < MOST else _give_up(run, numbers)


def _rest(run: SyncRun, numbers: Mapping[str, int]) -> bool:
    """Lets the run rest; returns whether this caller decided it."""
    until = clock.now() + rest_length(run.rests + 1)
    zone = timezone.get_default_timezone()
    time = f"{timezone.localtime(until, zone):%H:%M:%S} ({zone})"
    facts = {**numbers, "rest": run.rests + 1, "most": MOST, "time": time}
    with transaction.atomic():
        if not _undecided(run).update(rests=run.rests + 1, rests_until=until, note=RESTS % facts):
            return False
        log(run.pk, RESTS, facts=facts, code="rest", level="warning")
    return True


def _give_up(run: SyncRun, numbers: Mapping[str, int]) -> bool:
    """Fails what is left of the run; returns whether this caller decided it."""
    facts = {**numbers, "most": MOST}
    error = error_document(ServerError.code, GIVEN_UP % facts, GIVEN_UP_REMEDY)
    with transaction.atomic():
        if not _undecided(run).update(rests=run.rests + 1):
            return False
        end_accounts(run, AccountState.FAILED, ServerError.code, error=error)
        log(run.pk, GIVEN_UP, facts=facts, code="rest", level="error")
    return True


def _undecided(run: SyncRun) -> QuerySet[SyncRun]:
    """Returns the row, while nobody else has decided: the row count of an UPDATE names the one who did."""
    return SyncRun.objects.filter(pk=run.pk, rests=run.rests, state=RunState.RUNNING, cancel_requested_at=None)
