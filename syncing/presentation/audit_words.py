"""What an entry of the audit tells beside who and when: each value before and after, in the reader's words."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import SyncGroup
from syncing.models import (
    ApiKey,
    AuditAction,
    AuditEntry,
    Channel,
    Event,
    HealingRule,
    RunMode,
    RunPurpose,
    RunType,
    Schedule,
    Window,
)
from syncing.presentation.labels import attribute_label, kind_label, value_text
from syncing.presentation.recurrence import sentence_of

# Whose columns the changes of an action are.
TABLES: Mapping[str, tuple[type[models.Model], ...]] = {
    AuditAction.POLICY: (SyncGroup,),
    AuditAction.CHANNEL: (Channel,),
    AuditAction.AUTOMATION: (Schedule, Window),
    AuditAction.HEALING: (HealingRule,),
    AuditAction.KEY_CHANGED: (ApiKey,),
}
BY_GROUP = "group"  # the mode of an item without a rule of its own
WHOLE = {"added": gettext_lazy("Added"), "removed": gettext_lazy("Removed")}


def _number(value: Any) -> str:
    return str(len(value) if isinstance(value, list) else value)


def _run(value: Any) -> str:
    return f"#{value}"


def _moment(value: Any) -> str:
    return date_format(timezone.localtime(datetime.fromisoformat(value)), "DATETIME_FORMAT")


def _address(value: Any) -> str:
    """Returns an address of the internet; of a channel's, which is a secret, only that it was changed."""
    return _("changed") if value == "changed" else str(value)


# Facts that are no change: what they are called, and how their value is said. Others are only in what is stored.
FACTS: Mapping[str, tuple[Any, Callable[[Any], str]]] = {
    "type": (gettext_lazy("type"), lambda value: str(RunType(value).label)),
    "mode": (gettext_lazy("mode"), lambda value: str(RunMode(value).label)),
    "purpose": (gettext_lazy("purpose"), lambda value: str(RunPurpose(value).label)),
    "accounts": (gettext_lazy("accounts"), _number),
    "applied_by": (gettext_lazy("Approved, applied by"), _run),
    "reverts": (gettext_lazy("Rolls back"), _run),
    "until": (gettext_lazy("until"), _moment),
    "channel": (gettext_lazy("channel"), str),
    "key": (gettext_lazy("API key"), str),
    "user": (gettext_lazy("person"), str),
    "address": (gettext_lazy("address"), _address),
    "tested": (gettext_lazy("Tried with a test message"), lambda value: str(value_text(value, ""))),
    "sent_again": (gettext_lazy("Messages sent again"), _number),
    "failures": (gettext_lazy("attempts"), _number),
    "kind": (gettext_lazy("kind"), kind_label),
    "name": (gettext_lazy("name"), str),
    "parent": (gettext_lazy("parent"), str),
    "attribute": (gettext_lazy("attribute"), attribute_label),
}


def told(entry: AuditEntry) -> list[str]:
    """Returns what an entry tells, a sentence for each fact; nothing that is empty."""
    if "exclusions" in entry.details:
        return exclusions_told(entry.details)
    return list(_lines(entry.action, entry.details))


def exclusions_told(details: Mapping[str, Any]) -> list[str]:
    """Says what is left out of syncs from then on, and what no longer is."""
    before, after = map(set, details["exclusions"])
    texts = (
        (_("Left out of syncs: %(items)s"), after - before),
        (_("No longer left out: %(items)s"), before - after),
    )
    return [text % {"items": ", ".join(sorted(items))} for text, items in texts if items]


def _lines(action: str, details: Mapping[str, Any]) -> Iterator[str]:
    for name, value in details.items():
        field = _field(action, name)
        if name in WHOLE and isinstance(value, dict):
            parts = (
                f"{_label(_field(action, each), each)}: {_said(_field(action, each), old)}"
                for each, old in value.items()
            )
            yield f"{WHOLE[name]}: {', '.join(parts)}"
        elif field is not None and isinstance(value, list) and len(value) == 2:
            yield f"{_label(field, name)}: {_said(field, value[0])} → {_said(field, value[1])}"
        elif name in FACTS and value not in (None, "", [], {}):
            yield _fact(name, value)


def _fact(name: str, value: Any) -> str:
    label, say = FACTS[name]
    try:
        return f"{capfirst(str(label))}: {say(value)}"
    except (TypeError, ValueError):  # of an older or a newer version
        return f"{capfirst(str(label))}: {value}"


def _field(action: str, name: str) -> Any:
    """Returns the column that an action changes; None if it has none of this name."""
    for table in TABLES.get(action, ()):
        try:
            return table._meta.get_field(name)
        except FieldDoesNotExist:
            continue
    return None


def _label(field: Any, name: str) -> str:
    return capfirst(str(field.verbose_name)) if field is not None else name


def _said(field: Any, value: Any) -> str:
    """Returns a value of a column in words."""
    if isinstance(value, list):
        labels = dict(Event.choices)
        return ", ".join(str(labels.get(each, each)) for each in value) or "—"
    if field is not None and field.name == "cron":
        return sentence_of(str(value))
    choices = {BY_GROUP: _("As the group says"), **dict(field.flatchoices)} if field is not None else {}
    return str(choices[value]) if value in choices else str(value_text(value, ""))
