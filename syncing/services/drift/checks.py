"""Runs that only look for drift: on the group's schedule, or because somebody asks."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction

from accounts import clock
from accounts.clock import beyond
from accounts.models import Account, SyncGroup
from syncing.error_boundary import survived
from syncing.models import RUN_OPEN, RunMode, RunPurpose, RunType, SyncRun, Trigger
from syncing.records.drift import WATCHED
from syncing.records.text import short
from syncing.services.runs.starting import CannotStart, Started, start_run

logger = logging.getLogger(__name__)


def check_now(
    group: SyncGroup,
    *,
    trigger: str,
    by: User | None = None,
    accounts: Sequence[Account] | None = None,
    to_workers: bool = True,
) -> Started:
    """A run that looks at `accounts` (None: every slave of the group) and writes nothing. Raises CannotStart."""
    return start_run(
        group=group,
        type=RunType.FULL,
        mode=RunMode.PLAN,
        purpose=RunPurpose.DRIFT,
        trigger=trigger,
        requested_by=by,
        accounts=accounts,
        to_workers=to_workers,
    )


def start_due() -> int:
    """Starts the checks that are due by the groups' schedules; gives how many. May run anywhere, at once too."""
    groups = SyncGroup.objects.filter(drift_hours__gt=0).order_by("pk").values_list("pk", flat=True)
    started = 0
    for pk in list(groups):
        with survived(f"the check of group {pk}"):
            started += _start_if_due(pk)
    return started


def _start_if_due(group_id: int) -> bool:
    with transaction.atomic():
        # Locked before it is judged, so that of two reapers at once the second sees the first one's run.
        group = SyncGroup.objects.select_for_update().get(pk=group_id)
        if not is_due(group):
            return False
        try:
            check_now(group, trigger=Trigger.SCHEDULE)
        except CannotStart as error:
            _complain(group, f"{error.message} {error.remedy}".strip())
            return False
        _remember(group, "")
    return True


def is_due(group: SyncGroup) -> bool:
    """Nobody is at work, and nothing has looked at the whole group for so many hours."""
    runs = SyncRun.objects.filter(group=group)
    if not group.drift_hours or runs.filter(state__in=RUN_OPEN).exists():
        return False
    full = runs.filter(type=RunType.FULL, whole_group=True, purpose__in=WATCHED)
    moment = clock.now()
    recent = full.filter(created_at__gt=moment - timedelta(hours=group.drift_hours))
    return not recent.exclude(beyond("created_at", moment)).exists()


def _complain(group: SyncGroup, problem: str) -> None:
    """Once for each reason: the schedule tries again every minute."""
    if short(problem) != group.drift_problem:
        logger.warning("The drift check of the group %s could not begin: %s", group, problem)
        _remember(group, problem)


def _remember(group: SyncGroup, problem: str) -> None:
    if problem != group.drift_problem:
        SyncGroup.objects.filter(pk=group.pk).update(drift_problem=short(problem))
