"""Reads of the list of messages: which of them somebody looks for, and how many were sent, wait and failed."""

from dataclasses import dataclass

from django.db import models
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.kommo.texts import storable_id
from accounts.models import SyncGroup
from accounts.text_search import any_finds
from syncing.models import Channel, Event, Message
from syncing.selectors.filters import ListFilters, a_day, an_id_of, in_days, one_of
from syncing.selectors.runs import StateCount, state_counts

TEST = "test"  # as an event: messages that only try a channel, which are of none


class MessageState(models.TextChoices):
    FAILED = "failed", _("Not sent")
    WAITS = "waits", _("Waits")
    SENT = "sent", _("Sent")


CONDITIONS = {
    MessageState.FAILED.value: Q(due_at=None, sent_at=None),
    MessageState.WAITS.value: Q(due_at__isnull=False),
    MessageState.SENT.value: Q(sent_at__isnull=False, due_at=None),
}


@dataclass(frozen=True)
class MessageListFilters(ListFilters):
    """What somebody looks for; `since` and `until`: the first and the last day."""

    state: str = one_of(*MessageState.values)
    channel: str = an_id_of(Channel)
    event: str = one_of(TEST, *Event.values)
    group: str = an_id_of(SyncGroup)
    since: str = a_day()
    until: str = a_day()
    sort: str = one_of("oldest")


def found_messages(filters: MessageListFilters, *, in_any_state: bool = False) -> QuerySet[Message]:
    """Returns the messages that are looked for, each with its channel, but not with the address of that."""
    found = Message.objects.filter(in_days("created_at", filters.since, filters.until))
    if filters.state and not in_any_state:
        found = found.filter(CONDITIONS[filters.state])
    for name in ("channel", "group"):
        if value := getattr(filters, name):
            found = found.filter(**{name: storable_id(value)})
    if filters.event:
        found = found.filter(event="" if filters.event == TEST else filters.event)
    if text := filters.q:
        found = found.filter(any_finds(text, "title", "text", "failure", "channel__name"))
    order = "pk" if filters.sort else "-pk"
    return found.order_by(order).select_related("channel", "group").defer("channel__address", "html", "attachment")


def states_of(filters: MessageListFilters) -> tuple[StateCount, ...]:
    """Returns how many of the messages are in each state, whichever state is looked for."""
    found = found_messages(filters, in_any_state=True).order_by()
    counts = {state: Count("pk", filter=condition) for state, condition in CONDITIONS.items()}
    return state_counts(found.aggregate(**counts), MessageState)


def state_of(message: Message) -> MessageState:
    if message.due_at is not None:
        return MessageState.WAITS
    return MessageState.FAILED if message.sent_at is None else MessageState.SENT
