"""Badges, words and small numbers for the templates."""

import re
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from syncing import badges
from syncing.models import AccountState

register = template.Library()

KINDS = {
    "pipeline": _("Pipeline"),
    "stage": _("Stage"),
    "field_group": _("Field group"),
    "custom_field": _("Custom field"),
    "enum": _("Option"),
}
ATTRIBUTES = {
    "name": _("Name"),
    "type": _("Type"),
    "color": _("Colour"),
    "position": _("Position"),
    "is_main": _("Main pipeline"),
    "is_unsorted_on": _("Incoming leads"),
    "descriptions": _("Descriptions"),
    "group": _("Field group"),
    "enums": _("Options"),
    "required_statuses": _("Required in stages"),
    "hidden_statuses": _("Hidden in stages"),
    "is_api_only": _("Only by API"),
    "currency": _("Currency"),
    "remind": _("Reminder"),
    "tracking_callback": _("Tracking script"),
    "enum_codes": _("Codes of options"),
}
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
ACTIONS = {
    "create": _("create"),
    "update": _("update"),
    "delete": _("delete"),
    "adopt": _("adopt"),
}
OUTCOMES = {
    "planned": _("planned"),
    "done": _("done"),
    "failed": _("failed"),
    "unverified": _("not verified"),
    "skipped": _("skipped"),
}

# As an attribute, because the policy of the pages allows no inline style.
SWATCH = '<svg class="ks-swatch" viewBox="0 0 10 10"><rect width="10" height="10" fill="{}"/></svg>{}'

register.filter("tone", badges.tone)
badge = register.simple_tag(badges.badge, name="badge")


@register.simple_tag
def outcome_badge(outcome: str) -> SafeString:
    return badges.badge(outcome, str(OUTCOMES.get(outcome, outcome)))


@register.filter
def kind_label(kind: str) -> str:
    return str(KINDS.get(kind, kind))


@register.filter
def attribute_label(name: str) -> str:
    return str(ATTRIBUTES.get(name, name))


@register.filter
def action_label(action: str) -> str:
    return str(ACTIONS.get(action, action))


@register.filter
def account_state_label(state: str) -> str:
    return str(dict(AccountState.choices).get(state, state))


@register.filter
def shown(value: Any) -> str:
    """A value of a change as a person reads it: nothing is a dash, yes and no are words."""
    if value is None or value in ("", [], {}):
        return "—"
    if value is True:
        return gettext("yes")
    if value is False:
        return gettext("no")
    if isinstance(value, str) and COLOUR.fullmatch(value):
        return format_html(SWATCH, value, value)
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {shown(item)}" for key, item in value.items())
    return str(value)


@register.filter
def ago(moment: datetime) -> str:
    if timezone.now() - moment < timedelta(minutes=1):
        return gettext("just now")
    return gettext("%(when)s ago") % {"when": timesince(moment)}


@register.filter
def duration(thing: Any) -> str:
    """From `started_at` to `finished_at`, or to now."""
    return span(thing.started_at, thing.finished_at)


def span(start: datetime | None, end: datetime | None) -> str:
    if start is None:
        return "—"
    seconds = max(0, int(((end or timezone.now()) - start).total_seconds()))
    if seconds < 60:
        return gettext("%(s)d s") % {"s": seconds}
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return gettext("%(m)d min %(s)d s") % {"m": minutes, "s": seconds}
    hours, minutes = divmod(minutes, 60)
    return gettext("%(h)d h %(m)d min") % {"h": hours, "m": minutes}
