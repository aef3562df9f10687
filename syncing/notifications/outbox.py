"""Makes messages of notices: each notice once, in the order they were written, whoever makes them.

A notice is taken by deleting it, in the transaction that stores its messages and what its channels know from then on.
So of two processes one has it, and of one that dies on the way nothing is left but the notice. They take turns, as what
a channel knows depends on what it was told before.
"""

import logging
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from accounts import clock
from syncing.error_boundary import bounded
from syncing.models import Channel, Event, Message, Notice, ToldState
from syncing.notifications import notices
from syncing.notifications.decision import TellingDecision, decide
from syncing.notifications.digests import Digest, digest_of
from syncing.notifications.rendering import render

MOST = 200  # notices of one call, so that the caller can look after itself
TOO_OLD = timedelta(days=1)  # if no worker made messages for so long, nobody is told of what was before

logger = logging.getLogger(__name__)


def has_notices() -> bool:
    """Tells whether something has happened that no messages were made of yet."""
    return Notice.objects.exists()


def make_messages() -> int:
    """Makes the messages of what has happened; returns how many. May run anywhere, and several at once."""
    count = turns = 0
    while turns < MOST and has_notices():
        count, turns = count + _take_next(), turns + 1
    return count


def _take_next() -> int:
    """Makes the messages of the oldest notice; returns how many, 0 if another was faster.

    What cannot be read or rendered is logged and dropped: it would fail for ever, and all behind it would wait.
    """
    with transaction.atomic():
        # Who comes second waits here, and finds the row gone.
        notice = Notice.objects.select_for_update().order_by("pk").first()
        if notice is None:
            return 0
        notice.delete()
        count = 0
        with bounded(partial(_note_failure, notice)), transaction.atomic():
            count = _tell_all(notice)
    return count


def _note_failure(notice: Notice, error: Exception) -> None:
    logger.error("no message is made of a notice of %s (run %s)", notice.event, notice.run_id, exc_info=error)


def _tell_all(notice: Notice) -> int:
    """Tells every channel that wants it; one for which it fails prevents no other."""
    group = notice.run.group if notice.run else notice.group
    if notice.at < clock.now() - TOO_OLD:
        logger.warning("a notice of %s (run %s) is too old to be told", notice.event, notice.run_id)
        return 0
    channels = notices.listeners(notice.event, group)
    if chosen := notice.facts.get("channel"):
        channels = list(Channel.objects.filter(pk=chosen))
    if not channels:
        return 0
    digest, count = digest_of(notice), 0
    if digest.is_empty:
        return 0
    for channel in channels:
        with bounded(partial(_note_failure, notice)), transaction.atomic():
            count += _tell(channel, digest)
    return count


def _tell(channel: Channel, digest: Digest) -> int:
    """Makes the message of a channel; returns 0 if it is not told."""
    if digest.event == Event.WEEKLY_REPORT and not _is_first_report(channel, digest):
        return 0
    decision = _decide(channel, digest)
    if decision is not None and not decision.is_told:
        return 0
    Message.objects.create(
        channel=channel,
        event=digest.event,
        group=digest.group,
        run=digest.run,
        due_at=clock.now(),
        **asdict(render(digest, decision, channel)),
    )
    return 1


def _decide(channel: Channel, digest: Digest) -> TellingDecision | None:
    """Decides whether the channel is told, and stores what it knows from now on; None for news."""
    if digest.seen is None:
        return None
    row = _row(channel, digest)
    known = digest.still_there(row.bad)
    decision = decide(channel.when, known, digest.seen_by(known))
    row.bad = dict(decision.bad)
    if decision.is_told:
        row.told_at = clock.now()
    row.save()
    return decision


def _is_first_report(channel: Channel, digest: Digest) -> bool:
    """Tells whether the channel had no report for this week yet, and notes that it has it now."""
    if "channel" in digest.facts:
        return True
    row = _row(channel, digest)
    due = datetime.fromisoformat(digest.facts["report"]["due"])
    if channel.created_at > due or (row.told_at is not None and row.told_at >= due):
        return False
    row.told_at = clock.now()
    row.save()
    return True


def _row(channel: Channel, digest: Digest) -> ToldState:
    return ToldState.objects.get_or_create(channel=channel, group=digest.group, event=digest.event)[0]
