"""A blocked IP stops everything: this lane at once, the others at their next heartbeat at the latest."""

from datetime import datetime
from functools import partial

from accounts import clock
from accounts import conf as accounts_conf
from accounts.clock import SLACK
from accounts.kommo.errors import IpBlocked
from accounts.kommo.stopping import StopReason
from syncing import conf
from syncing.error_boundary import bounded
from syncing.execution.account_task import BLOCKED_MESSAGE
from syncing.models import RUN_OPEN, AccountState, IpBlock, SyncRun
from syncing.records.text import error_document
from syncing.services.runs.close import close_run, end_accounts, end_by_own_error, end_without_master


def announce() -> None:
    """Tells every lane, holds the common pace until they have heard, and ends all that waits, in every group."""
    IpBlock.objects.update_or_create(pk=IpBlock.ONLY, defaults={"at": clock.now()})
    accounts_conf.slots().hold(accounts_conf.IP_KEY, 2 * conf.heartbeat())
    error = error_document(StopReason.IP_BLOCKED, BLOCKED_MESSAGE, IpBlocked.remedy)
    for run in SyncRun.objects.filter(state__in=RUN_OPEN).order_by("pk"):
        with bounded(partial(end_by_own_error, run.pk), run=run.pk):
            if run.is_master_read:
                end_accounts(run, AccountState.FAILED, StopReason.IP_BLOCKED, error=error)
                close_run(run.pk)
            else:
                end_without_master(run, StopReason.IP_BLOCKED, error)


def happened_since(moment: datetime) -> bool:
    """Tells if a lane met a block after `moment`; runs that begin later may try again.

    A block that is yet to come is of a clock that was set back.
    """
    return IpBlock.objects.filter(at__gt=moment, at__lte=clock.now() + SLACK).exists()
