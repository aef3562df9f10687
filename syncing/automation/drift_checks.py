"""Checks for drift on the schedules of the groups."""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import translation

from accounts import clock
from accounts.clock import beyond
from accounts.models import SyncGroup
from accounts.own_words import SOURCE
from accounts.refusals import Refusal
from syncing.error_boundary import survived
from syncing.models import RUN_OPEN, RunType, SyncRun
from syncing.presentation.holds import paused_sentence
from syncing.purposes import COMPARING
from syncing.records.text import short
from syncing.services.actors import SCHEDULE
from syncing.services.drift_checks import check_now
from syncing.services.runs.holds import why_held

logger = logging.getLogger(__name__)


def start_due() -> int:
    """Starts the checks that are due by the groups' schedules; returns how many. May run anywhere, at once too."""
    groups = SyncGroup.objects.filter(drift_hours__gt=0).order_by("pk").values_list("pk", flat=True)
    started = 0
    for pk in list(groups):
        with survived(f"the check of group {pk}", group=pk), translation.override(SOURCE):
            started += _start_if_due(pk)
    return started


def _start_if_due(group_id: int) -> bool:
    """Starts the check of a group if it is due; stores why it could not begin, and logs each reason once.

    The schedule tries again every minute.
    """
    with transaction.atomic():
        # Locked before it is judged, so that of two reapers at once the second sees the first one's run.
        group = SyncGroup.objects.select_for_update().get(pk=group_id)
        if not is_due(group):
            return False
        problem = paused_sentence(group)
        try:
            if not problem:
                check_now(group, by=SCHEDULE)
        except Refusal as error:
            problem = str(error)
        if short(problem) != group.drift_problem:
            if problem:
                logger.warning("The drift check of the group %s could not begin: %s", group, problem)
            SyncGroup.objects.filter(pk=group_id).update(drift_problem=short(problem))
    return not problem


def is_due(group: SyncGroup) -> bool:
    """Tells whether a check is due: nothing runs in the group, and no run has looked at all of it for `drift_hours`.

    What waits for the end of a freeze keeps no check from looking.
    """
    runs = SyncRun.objects.filter(group=group)
    waiting = [run.pk for run in runs.filter(state__in=RUN_OPEN).select_related("group") if why_held(run)]
    if not group.drift_hours or runs.filter(state__in=RUN_OPEN).exclude(pk__in=waiting).exists():
        return False
    full = runs.exclude(pk__in=waiting).filter(type=RunType.FULL, whole_group=True, purpose__in=COMPARING)
    moment = clock.now()
    recent = full.filter(created_at__gt=moment - timedelta(hours=group.drift_hours))
    return not recent.exclude(beyond("created_at", moment)).exists()
