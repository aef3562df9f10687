"""Reads the channels by which people are told, without their addresses."""

from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import SyncGroup
from syncing.models import Channel


def channels_of(group: SyncGroup | None) -> QuerySet[Channel]:
    """Returns the channels that are told of a group, or all, in the order in which they were added."""
    channels = Channel.objects.select_related("group").defer("address").order_by("pk")
    return channels if group is None else channels.filter(Q(group=group) | Q(group=None))


def channel_document(channel: Channel) -> dict[str, Any]:
    """Returns what programs are told (docs/interface.md): never the address."""
    return {
        "name": channel.name,
        "group": channel.group.name if channel.group else None,
        "kind": channel.kind,
        "events": channel.events,
        "when": channel.when,
        "language": channel.language,
        "enabled": channel.enabled,
        "last_sent_at": channel.last_sent_at.isoformat() if channel.last_sent_at else None,
        "failure": channel.failure,
    }
