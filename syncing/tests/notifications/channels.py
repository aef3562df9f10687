"""Channels and messages for tests."""

from typing import Any

from syncing.models import Channel, Event, Message
from syncing.notifications.addresses import kind_of


def new_channel(address: str = "ops@franchise.example", **facts: Any) -> Channel:
    """Stores a channel, without asking whether its address is allowed."""
    usual = {"name": f"channel {Channel.objects.count()}", "events": list(Event.values), "kind": kind_of(address)}
    return Channel.objects.create(address=address, **usual | facts)


def new_message(channel: Channel, **facts: Any) -> Message:
    usual = {"title": "2 of 119 failed", "text": "branch-01: token ended\nbranch-02: unpaid", "event": "run_failed"}
    return Message.objects.create(channel=channel, **usual | facts)
