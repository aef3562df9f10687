"""What follows from runs that have ended, without a person: the one place where that is decided."""

import logging
from collections.abc import Callable
from functools import partial

from django.db import transaction
from django.utils.translation import gettext_noop

from syncing.automation import healing, retries, reviews
from syncing.error_boundary import bounded, survived, where
from syncing.models import RUN_OPEN, LogEntry, SyncRun
from syncing.records.log import log
from syncing.services.runs.create import locked

logger = logging.getLogger(__name__)

# In this order: an account that waits for a review is not tried again.
RULES: tuple[Callable[[SyncRun], object], ...] = (reviews.follow, retries.follow, healing.follow)


def follow_ended() -> int:
    """Does what follows from each run that has ended since the last call; returns how many there were.

    May run anywhere, and several at once.
    """
    ended = SyncRun.objects.filter(followed_up=False).exclude(state__in=RUN_OPEN).order_by("pk")
    count = 0
    for pk in list(ended.values_list("pk", flat=True)):
        with survived(f"what follows from run {pk}", run=pk):
            count += _follow(pk)
    return count


def _follow(run_id: int) -> bool:
    """Marks the run and does what follows from it, in one commit; True for the one caller who did.

    A rule that fails is logged and prevents no other; it is not tried again, as it would fail for ever.
    """
    run = SyncRun.objects.select_related("group", "snapshot").defer("snapshot__document").get(pk=run_id)
    with locked(run.group):
        if not SyncRun.objects.filter(pk=run_id, followed_up=False).update(followed_up=True):
            return False
        for rule in RULES:
            with bounded(partial(_note_failure, run)), transaction.atomic():
                rule(run)
    return True


def _note_failure(run: SyncRun, error: Exception) -> None:
    logger.error("what follows from run %s failed", run.pk, exc_info=error)
    sentence = gettext_noop("What follows from this run without a person was not done: %(where)s.")
    log(run.pk, sentence, facts={"where": where(error)}, code="internal", level=LogEntry.Level.ERROR)
