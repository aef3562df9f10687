"""Sends the messages that are due, each at least once and never by two processes at a time, until they are given up."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import translation
from django.utils.translation import gettext_noop

from accounts import clock
from accounts.kommo.texts import storable
from accounts.own_words import SOURCE
from syncing import conf
from syncing.error_boundary import bounded, where
from syncing.models import Channel, Message
from syncing.notifications import transport

logger = logging.getLogger(__name__)

WAITED_TOO_LONG = gettext_noop("It waited for more than a day and is no longer sent.")
ENDED_AGAIN = gettext_noop("The process that sent it ended again and again before it was done.")
OWN_ERROR = gettext_noop("An error of KommoSync: %(where)s.")
# After the first failure, the second ...; a message has one try more than there are pauses, all within GIVEN_UP_AFTER.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (2, 13, 60, 240))
GIVEN_UP_AFTER = timedelta(hours=6)
TOO_OLD = timedelta(hours=24)  # nobody wants to be told any more; only a channel that was switched off lets one wait
LEASE = timedelta(seconds=3 * transport.DEADLINE)  # until a message is tried anew whose sender gave no sign of life
AT_ONCE = 4  # channels: for each there is a process of some 55 MB
FAILURES_IN_A_ROW = 2  # of one channel, after which its other messages wait: they would fail, too
LOOK = 1.0  # seconds between two looks at what has become due
SLICE = 45.0  # seconds after which nothing more is begun; the process has to end


def due(moment: datetime) -> QuerySet[Message]:
    """Returns the messages that may be sent now, of channels that are switched on."""
    # A time that no pause leads to was stored by a clock that has been set back since.
    is_due = Q(due_at__lte=moment) | clock.beyond("due_at", moment, max(PAUSES))
    return Message.objects.filter(is_due, channel__enabled=True)


def is_due() -> bool:
    """Tells whether there is anything to send now."""
    return due(clock.now()).exists()


def send_due(meanwhile: Callable[[], object] = lambda: None) -> int:
    """Sends what is due, several channels at a time and the messages of each in order; returns how many were sent.

    While a channel takes its time, `meanwhile` is called every second, and what has become due since is sent, too.
    """
    # What waited too long is given up; that is no failure of its channel.
    too_old = Message.objects.filter(due_at__isnull=False, created_at__lt=clock.now() - TOO_OLD)
    too_old.update(due_at=None, failure=WAITED_TOO_LONG)
    until = time.monotonic() + SLICE
    at_work: dict[Future[str], Message] = {}
    in_a_row: Counter[int] = Counter()
    count = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while True:
            if time.monotonic() < until:
                for message in _claim_some(AT_ONCE - len(at_work), {each.channel_id for each in at_work.values()}):
                    at_work[pool.submit(_send, message)] = message
            if not at_work:
                return count
            for future in wait(at_work, LOOK, FIRST_COMPLETED).done:
                message, failure = at_work.pop(future), future.result()
                _settle(message, failure, _next_try(message, clock.now()))
                count += not failure
                in_a_row[message.channel_id] = in_a_row[message.channel_id] + 1 if failure else 0
                if in_a_row[message.channel_id] >= FAILURES_IN_A_ROW:
                    _postpone(message)
            meanwhile()


def _claim_some(number: int, busy: Collection[int]) -> Iterator[Message]:
    """Claims the next message of up to so many channels, whoever waits longest first; none of those that are busy."""
    waiting = due(clock.now()).exclude(channel__in=busy).order_by("due_at", "pk").values_list("channel", flat=True)
    for channel_id in list(dict.fromkeys(waiting)) if number else []:
        message = _claim(channel_id)
        if message is not None:
            yield message
            number -= 1
        if not number:
            return


def _claim(channel_id: int) -> Message | None:
    """Takes the oldest due message of a channel, with a lease; None when there is none, or somebody sends there."""
    with transaction.atomic():
        Channel.objects.select_for_update(no_key=True).only("pk").filter(pk=channel_id).first()  # one after the other
        moment = clock.now()
        message = due(moment).filter(channel=channel_id).select_related("channel").order_by("pk").first()
        # One that was claimed, and has not failed since, is being sent.
        claimed = Message.objects.filter(channel=channel_id, due_at__gt=moment, attempts__gt=0, failure="")
        if message is None or claimed.exclude(clock.beyond("due_at", moment, LEASE)).exists():
            return None
        message.attempts, message.due_at, message.failure = message.attempts + 1, moment + LEASE, ""
        message.save(update_fields=["attempts", "due_at", "failure"])
    return message


def _send(message: Message) -> str:
    """Sends a claimed message; returns why not. In a thread of the pool, without the database."""
    if message.attempts > len(PAUSES) + 1:
        return ENDED_AGAIN
    failures: list[str] = []
    # What is stored is English, whatever the language of this process.
    with (
        bounded(lambda error: failures.append(OWN_ERROR % {"where": where(error)}), but=()),
        translation.override(SOURCE),
    ):
        failures.append(transport.send(message.channel, message))
    return failures[0]


def send_again(messages: QuerySet[Message]) -> int:
    """Makes messages due now that were not sent, with all their tries anew; returns how many.

    Left out are those that are being sent, those of channels that are switched off, and those that only try a channel.
    """
    rests = Q(due_at=None) | Q(attempts=0) | ~Q(failure="")
    unsent = messages.filter(rests, sent_at=None, channel__enabled=True).exclude(event="")
    moment = clock.now()
    return unsent.update(due_at=moment, attempts=0, created_at=moment)  # by which it is known how long they wait


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
    _log(message, failure)


def _log(message: Message, failure: str) -> None:
    ids = {name: key for name, key in (("run", message.run_id), ("group", message.group_id)) if key}
    if not failure:
        logger.info("message %s was sent through the channel %s", message.pk, message.channel, extra=ids)
        return
    follows = "tried again later" if message.due_at else "given up"
    text = "message %s was not sent through the channel %s and is %s: %s"
    logger.warning(text, message.pk, message.channel, follows, failure, extra=ids)


def _postpone(message: Message) -> None:
    """Lets the other messages of a channel that fails wait until it is tried again; that costs them no try."""
    moment = clock.now()
    following = message.due_at or moment + PAUSES[0]
    due(moment).filter(channel=message.channel_id).update(due_at=following)
