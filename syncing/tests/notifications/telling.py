"""Channels that tests listen in, and what they were told."""

from typing import Any

from syncing.models import Channel, Event, Message, Notice
from syncing.notifications import outbox


def listen(name: str = "ops", *, kind: str = "json", **facts: Any) -> Channel:
    """Stores a channel that wants every event, unless `facts` say otherwise."""
    usual = {"events": list(Event.values), "address": f"{kind}://127.0.0.1/", "kind": kind}
    return Channel.objects.create(name=name, **{**usual, **facts})


def told(channel: Channel | None = None) -> list[Message]:
    """Makes the messages that are due to be made; returns those that were not there before, the oldest first."""
    before = set(Message.objects.values_list("pk", flat=True))
    outbox.make_messages()
    assert not Notice.objects.exists()
    new = Message.objects.exclude(pk__in=before).order_by("pk")
    return list(new.filter(channel=channel) if channel else new)


def titles(channel: Channel | None = None) -> list[str]:
    """The titles of what is told now."""
    return [message.title for message in told(channel)]


def whole(message: Message) -> str:
    """Everything of a message that somebody could read."""
    return "\n".join([message.title, message.text, message.html, message.attachment_name, message.attachment])
