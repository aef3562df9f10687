"""Loads the run or the slave that a page is about."""

from django.shortcuts import get_object_or_404
from django.utils import timezone

from accounts.models import SECRETS, Account
from syncing.models import SyncRun
from syncing.selectors.standing import with_standing


def run_or_404(run_id: int) -> SyncRun:
    """Returns the run with its group and the person who asked for it; raises Http404."""
    return get_object_or_404(SyncRun.objects.select_related("group", "requested_by"), pk=run_id)


def slave_or_404(account_id: int) -> Account:
    """Returns the slave with its group and how it stands; raises Http404."""
    slaves = Account.objects.filter(role=Account.Role.SLAVE).select_related("group").defer(*SECRETS)
    slave: Account = get_object_or_404(with_standing(slaves, timezone.now()), pk=account_id)
    return slave
