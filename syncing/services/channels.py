"""Channels, by which people are told: added, changed, removed and tested; every change is audited without addresses."""

import unicodedata
from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.own_words import translated
from accounts.refusals import Refusal
from syncing.models import AuditAction, Channel, Event, Message
from syncing.notifications import delivery
from syncing.notifications.addresses import check_address, kind_of
from syncing.notifications.transport import apprise_url, is_understood
from syncing.services import audit
from syncing.services.requirements import require_permission, require_valid

CHANGE_CHANNEL = "syncing.change_channel"
COLUMNS = ("name", "events", "when", "language", "enabled")


def add(channel: Channel, *, by: Actor) -> Channel:
    """Stores a new channel, which has its address; its kind follows from that. Raises Refusal."""
    require_permission(by, CHANGE_CHANNEL)
    require_sound(channel, [*COLUMNS, "group"])
    channel.address = usable_address(channel.address)
    channel.kind = kind_of(channel.address)
    with transaction.atomic():
        _require_free_name(channel)
        channel.save(force_insert=True)
        _note(channel, by, added={"kind": channel.kind, **_facts(channel)})
    return channel


def change(channel: Channel, names: Collection[str], *, by: Actor) -> None:
    """Stores the changed columns `names`; with another address, the old one's failure is forgotten. Raises Refusal."""
    require_permission(by, CHANGE_CHANNEL)
    require_sound(channel, names)
    columns: dict[str, Any] = {}
    if "address" in names:
        channel.address = usable_address(channel.address)
        channel.kind = kind_of(channel.address)
        columns = {"address": channel.address, "kind": channel.kind, "failure": "", "failed_at": None}
    with transaction.atomic():
        _require_free_name(channel)
        stored = Channel.objects.select_for_update().get(pk=channel.pk)
        changes = audit.changes(_facts(stored), _facts(channel), [name for name in COLUMNS if name in names])
        columns |= {name: new for name, (_old, new) in changes.items()}
        if columns:
            Channel.objects.filter(pk=channel.pk).update(**columns)
            address = {"address": "changed", "kind": channel.kind} if "address" in columns else {}
            _note(channel, by, **changes, **address)


def remove(channel: Channel, *, by: Actor) -> None:
    """Deletes a channel with its messages. Raises Refusal."""
    require_permission(by, CHANGE_CHANNEL)
    with transaction.atomic():
        _note(channel, by, removed={"kind": channel.kind, **_facts(channel)})
        channel.delete()


def test(channel: Channel, *, by: Actor) -> None:
    """Sends a message to try the channel, also one that is switched off; raises Refusal (send_failed) with the reason.

    It takes as long as the service, up to half a minute; no transaction is open meanwhile.
    """
    require_permission(by, CHANGE_CHANNEL)
    with translation.override(channel.language):
        title = _("Test message of KommoSync")
        text = _("The channel %(name)s works. You will get messages here.") % {"name": channel.name}
    with transaction.atomic():
        message = Message.objects.create(channel=channel, title=title, text=text)
        _note(channel, by, tested=True)
    if failure := delivery.send_once(message):
        raise Refusal("send_failed", translated(failure))


def send_again(channel: Channel, message_id: int | None = None, *, by: Actor) -> int:
    """Hands one message that was not sent, or all of a channel, to the workers once more; returns how many.

    Raises Refusal (nothing_to_send).
    """
    require_permission(by, CHANGE_CHANNEL)
    messages = Message.objects.filter(channel=channel)
    with transaction.atomic():
        count = delivery.send_again(messages if message_id is None else messages.filter(pk=message_id))
        if not count:
            problem = _("There is nothing to send again: it was sent meanwhile, or its channel is switched off.")
            raise Refusal("nothing_to_send", problem, _("Load the page again."))
        _note(channel, by, sent_again=count)
    return count


def require_sound(channel: Channel, names: Collection[str]) -> None:
    """Raises Refusal for wrong values among the columns `names`."""
    if "name" in names:
        channel.name = str(channel.name).strip()
        is_odd = any(unicodedata.category(character)[0] in "CZ" and character != " " for character in channel.name)
        if is_odd or "/" in channel.name or channel.name in (".", ".."):
            raise Refusal("bad_name", _("The name of a channel holds no slash and no invisible characters."))
    if "events" in names:
        channel.events = _events(channel.events)
    require_valid(channel, [name for name in names if name not in ("address", "events")])


def _events(wanted: Any) -> list[str]:
    """Returns events without repetition, in their usual order; raises Refusal for unknown ones, and for none."""
    names = list(map(str, wanted)) if isinstance(wanted, list | tuple) else []
    known = ", ".join(Event.values)
    if unknown := sorted(set(names) - set(Event.values)):
        message = _("There is no event %(names)s.") % {"names": ", ".join(unknown)[:200]}
        raise Refusal("bad_events", message, _("The events are: %(known)s.") % {"known": known})
    if not names:
        raise Refusal("bad_events", _("Name at least one event."), _("The events are: %(known)s.") % {"known": known})
    return [name for name in Event.values if name in names]


def usable_address(address: str) -> str:
    """Returns an address as it is stored: that of a webhook, as its service shows it, becomes an Apprise URL.

    Raises Refusal for one that no message may be sent to, or that its service could not be found by.
    """
    if kind_of(address) == "https":
        address = apprise_url(address) or address
    check_address(address)
    if not is_understood(address):
        message = _("The address is not complete, or not of this service.")
        raise Refusal("bad_address", message, _("See docs/messages.md."))
    return address


def _require_free_name(channel: Channel) -> None:
    if Channel.objects.filter(name=channel.name).exclude(pk=channel.pk).exists():
        message = _("There is a channel %(name)s already.") % {"name": channel.name}
        raise Refusal("exists_already", message, _("Choose another name."))


def _facts(channel: Channel) -> dict[str, Any]:
    return {name: getattr(channel, name) for name in COLUMNS}


def _note(channel: Channel, by: Actor, **details: Any) -> None:
    audit.note(AuditAction.CHANNEL, by=by, group=channel.group, details={"channel": channel.name, **details})
