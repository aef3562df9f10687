"""Sends the messages that are due, each at least once and never by two processes at a time, until they are given up."""

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts import clock
from accounts.kommo.texts import storable
from syncing import conf
from syncing.error_boundary import bounded, where
from syncing.models import Channel, Message
from syncing.notifications import transport

# After the first failure, the second ...; a message has one try more than there are pauses, all within GIVEN_UP_AFTER.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (2, 13, 60, 240))
GIVEN_UP_AFTER = timedelta(hours=6)
TOO_OLD = timedelta(hours=24)  # nobody wants to be told any more; only a channel that was switched off lets one wait
LEASE = timedelta(seconds=3 * transport.DEADLINE)  # until a message is tried anew whose sender gave no sign of life
AT_ONCE = 8  # channels
FAILURES_IN_A_ROW = 2  # of one channel, after which its other messages wait: they would fail, too
SLICE = 45.0  # seconds after which nothing more is begun; the process has to end


def due(moment: datetime) -> QuerySet[Message]:
    """Returns the messages that may be sent now, of channels that are switched on."""
    # A time that no pause leads to was stored by a clock that has been set back since.
    is_due = Q(due_at__lte=moment) | clock.beyond("due_at", moment, max(PAUSES))
    return Message.objects.filter(is_due, channel__enabled=True)


def is_due() -> bool:
    """Tells whether there is anything to send now."""
    return due(clock.now()).exists()


def send_due() -> int:
    """Sends what is due, several channels at a time and the messages of each in order; returns how many were sent."""
    until = time.monotonic() + SLICE
    waiting = list(due(clock.now()).order_by("channel").values_list("channel", flat=True).distinct())
    at_work: dict[Future[str], Message] = {}
    failing: dict[int, int] = {}
    count = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while waiting or at_work:
            while waiting and len(at_work) < AT_ONCE:
                message = _claim(waiting.pop(0)) if time.monotonic() < until else None
                if message is not None:
                    at_work[pool.submit(_send, message)] = message
            for future in wait(at_work, return_when=FIRST_COMPLETED).done if at_work else ():
                message, failure = at_work.pop(future), future.result()
                _settle(message, failure, _next_try(message, clock.now()))
                count += not failure
                failing[message.channel_id] = failing.get(message.channel_id, 0) + 1 if failure else 0
                if failing[message.channel_id] < FAILURES_IN_A_ROW:
                    waiting.append(message.channel_id)
                else:
                    _postpone(message)
    return count


def _claim(channel_id: int) -> Message | None:
    """Takes the oldest due message of a channel, with a lease; None when there is none, or somebody sends there."""
    with transaction.atomic():
        Channel.objects.select_for_update(no_key=True).only("pk").get(pk=channel_id)  # one claims, then the next
        moment = clock.now()
        message = due(moment).filter(channel=channel_id).select_related("channel").order_by("pk").first()
        if message is None or _is_sent_to(channel_id, moment):
            return None
        message.attempts, message.due_at, message.failure = message.attempts + 1, moment + LEASE, ""
        message.save(update_fields=["attempts", "due_at", "failure"])
    return message


def _is_sent_to(channel_id: int, moment: datetime) -> bool:
    """Tells whether somebody sends a message of a channel: it was claimed, and has not failed since."""
    claimed = Message.objects.filter(channel=channel_id, due_at__gt=moment, attempts__gt=0, failure="")
    return claimed.exclude(clock.beyond("due_at", moment, LEASE)).exists()


def _send(message: Message) -> str:
    """Sends a claimed message; returns why not. In a thread of the pool, without the database."""
    if message.attempts > len(PAUSES) + 1:
        return _("The process that sent it ended again and again before it was done.")
    if message.due_at is not None and message.due_at - LEASE - message.created_at > TOO_OLD:
        return _("It waited for more than a day and is no longer sent.")
    failures: list[str] = []
    with bounded(lambda error: failures.append(_("An error of KommoSync: %s.") % where(error)), but=()):
        failures.append(transport.send(message.channel, message))
    return failures[0]


def send_once(message: Message) -> str:
    """Sends a message at once, whatever its channel is set to, and never again; returns why it failed, or ""."""
    failure = _send(message)
    message.attempts = 1
    _settle(message, failure, None)
    return failure


def _next_try(message: Message, moment: datetime) -> datetime | None:
    """Returns when a message that failed is tried again; None when it is given up."""
    if message.attempts > len(PAUSES):
        return None
    following = moment + PAUSES[message.attempts - 1]
    return following if following <= message.created_at + GIVEN_UP_AFTER else None


def _settle(message: Message, failure: str, following: datetime | None) -> None:
    """Stores how a try ended, at message and channel; the failure of one that another has taken over says nothing."""
    moment, channel = clock.now(), Channel.objects.filter(pk=message.channel_id)
    message.due_at = following
    with transaction.atomic():
        stored = Message.objects.filter(pk=message.pk)
        if not failure:
            stored.update(due_at=None, attempts=message.attempts, sent_at=moment, failure="")
            channel.update(last_sent_at=moment, failure="", failed_at=None)
        elif stored.filter(attempts__lte=message.attempts).update(
            due_at=following, attempts=message.attempts, failure=storable(failure)[: conf.MAX_TEXT]
        ):
            channel.update(failure=storable(failure)[: conf.MAX_TEXT], failed_at=moment)


def _postpone(message: Message) -> None:
    """Lets the other messages of a channel that fails wait until it is tried again; that costs them no try."""
    moment = clock.now()
    following = message.due_at or moment + PAUSES[0]
    due(moment).filter(channel=message.channel_id).update(due_at=following)
