"""Labels of states, kinds, attributes and causes, and values as a person reads them."""

import math
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.badges import mark
from syncing.engine.compare import OTHER_GROUP
from syncing.engine.grouping import PlanCounts
from syncing.models import AccountState, ItemMode, KeyScope, Standing, Trigger
from syncing.presentation import badges
from syncing.presentation.drawing import AttributeChange, Chip, Mark

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
    "is_api_only": _("Editable by API only"),
    "currency": _("Currency"),
    "remind": _("Reminder"),
    "tracking_callback": _("Tracking script"),
    "enum_codes": _("Codes of options"),
    "stages": _("Stages"),
}
# A mark of something drawn: its sign, its tone, its word.
MARKS = {
    Mark.ADDED: ("+", badges.OK, _("new")),
    Mark.MISSING: ("∅", badges.WARN, _("missing here")),
    Mark.REMOVED: ("−", badges.BAD, _("is deleted")),
    Mark.EXTRA: ("•", badges.IDLE, _("only here")),
    Mark.RENAMED: ("✎", badges.INFO, _("renamed")),
    Mark.MOVED: ("↕", badges.INFO, _("moved")),
    Mark.CHANGED: ("≠", badges.INFO, _("changed")),
    Mark.EXCLUDED: ("⊘", badges.IDLE, _("excluded")),
    Mark.MANUAL: ("!", badges.WARN, _("by hand")),
    Mark.ACCEPTED: ("✓", badges.IDLE, _("accepted")),
}
# Marks whose word is what the changes of the item are.
TOLD_BY_CHANGES = (Mark.RENAMED, Mark.MOVED, Mark.CHANGED)
# Kommo's own words for the types of fields.
FIELD_TYPES = {
    "text": _("Text"),
    "numeric": _("Numeric"),
    "checkbox": _("Toggle switch"),
    "select": _("Select"),
    "multiselect": _("Multiselect"),
    "date": _("Date"),
    "url": _("URL"),
    "date_time": _("Date and time"),
    "textarea": _("Long text"),
    "radiobutton": _("Radio button"),
    "streetaddress": _("Short address"),
    "smart_address": _("Address"),
    "birthday": _("Birthday"),
    "legal_entity": _("Legal entity"),
    "file": _("File"),
    "monetary": _("Monetary"),
    "tracking_data": _("Tracking data"),
    "multitext": _("Several values"),
}
ENTITIES = {"leads": _("Leads"), "contacts": _("Contacts"), "companies": _("Companies")}
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
ACTIONS = {
    "create": _("create"),
    "update": _("update"),
    "delete": _("delete"),
    "adopt": _("adopt"),
}
ACTION_TONES = {"create": badges.OK, "update": badges.INFO, "delete": badges.BAD}
# A count of a plan: what is done with the items, its tone, its sign.
COUNTS = {
    "created": ("create", badges.OK, "+", ngettext_lazy("%(n)d created", "%(n)d created", "n")),
    "updated": ("update", badges.INFO, "~", ngettext_lazy("%(n)d updated", "%(n)d updated", "n")),
    "deleted": ("delete", badges.BAD, "−", ngettext_lazy("%(n)d deleted", "%(n)d deleted", "n")),
    "conflicts": ("conflicts", badges.WARN, "!", ngettext_lazy("%(n)d conflict", "%(n)d conflicts", "n")),
    "manual": ("manual", badges.WARN, "", ngettext_lazy("%(n)d by hand", "%(n)d by hand", "n")),
    "extras": ("extras", badges.IDLE, "", ngettext_lazy("%(n)d extra", "%(n)d extras", "n")),
}
REMARKS = {"conflicts": (badges.WARN, _("conflict")), "manual": (badges.WARN, _("by hand"))}
REMARKS["extras"] = (badges.IDLE, _("extra"))
OUTCOMES = {
    "planned": _("planned"),
    "done": _("done"),
    "failed": _("failed"),
    "unverified": _("not verified"),
    "skipped": _("skipped"),
}
CAUSES = {
    "master": (badges.INFO, _("Changed in the master")),
    "slave": (badges.WARN, _("Edited in the account")),
    "both": (badges.BAD, _("Both changed")),
    "unknown": (badges.IDLE, _("Never equal so far")),
    "edited": (badges.WARN, _("Edited by somebody")),  # slave or both, as a filter
}
ROLES = {
    "viewer": _("viewer"),
    "operator": _("operator"),
    "approver": _("approver"),
    "administrator": _("administrator"),
}

# As an attribute, because the policy of the pages allows no inline style.
SWATCH = (
    '<svg class="ks-swatch" role="img" aria-label="{0}" viewBox="0 0 20 10" preserveAspectRatio="none">'
    '<title>{0}</title><rect width="20" height="10" fill="{0}"/></svg>'
)


@dataclass(frozen=True)
class CountLabel:
    """A count of a plan as a badge shows it."""

    action: str
    tone: str
    text: str


def counts(tally: PlanCounts) -> list[CountLabel]:
    """Returns the counts of a plan that are not 0."""
    numbers = asdict(tally)
    return [
        CountLabel(action, tone, f"{sign} {label % {'n': numbers[name]}}".strip())
        for name, (action, tone, sign, label) in COUNTS.items()
        if numbers[name]
    ]


def action_badge(action: str) -> SafeString:
    return mark(ACTION_TONES.get(action, badges.IDLE), action_label(action))


def list_badge(name: str) -> SafeString:
    """Returns the badge of remarks: the rows of the list `name` of a document."""
    tone, label = REMARKS[name]
    return mark(tone, str(label))


def outcome_badge(outcome: str) -> SafeString:
    return badges.badge(outcome, str(OUTCOMES.get(outcome, outcome)))


def kind_label(kind: str) -> str:
    return str(KINDS.get(kind, kind))


def attribute_label(name: str) -> str:
    return str(ATTRIBUTES.get(name, name))


def attribute_word(name: str) -> str:
    """Returns the name of an attribute as it stands within a sentence."""
    label = attribute_label(name)
    return label[:1].lower() + label[1:]


def parent_label(parent: str, kind: str) -> str:
    """Says where an item lies: a field in a group of leads, contacts or companies, anything else in what is named."""
    if kind not in ("custom_field", "field_group"):
        return parent
    entity, _slash, group = parent.partition("/")
    if not group:
        return entity_label(entity)
    return gettext("%(entity)s, group %(group)s") % {"entity": entity_label(entity), "group": group}


def action_label(action: str) -> str:
    return str(ACTIONS.get(action, action))


def account_state_label(state: str) -> str:
    return str(dict(AccountState.choices).get(state, state))


def trigger_label(trigger: str) -> str:
    return str(dict(Trigger.choices).get(trigger, trigger))


def scope_label(scope: str) -> str:
    return str(dict(KeyScope.choices).get(scope, scope))


def cause_label(cause: str) -> str:
    return str(CAUSES[cause][1]) if cause in CAUSES else cause


def role_label(name: str) -> str:
    """Returns the name of a role for people: `setup` makes them by English names, which the commands know."""
    return str(ROLES.get(name, name))


def cause_badge(cause: str, count: int | None = None) -> SafeString:
    """Returns the badge of the cause of a difference; with a count, of so many."""
    tone = CAUSES[cause][0] if cause in CAUSES else badges.IDLE
    return mark(tone, cause_label(cause) if count is None else f"{cause_label(cause)}: {count}")


def mode_label(mode: str) -> str:
    """Returns what is done with edits of an item."""
    return str(dict(ItemMode.choices).get(mode, mode))


def standing_label(standing: str) -> str:
    return str(Standing(standing).label)


def standing_badge(account: Any) -> SafeString:
    """Returns the badge of how a slave stands; it was loaded `with_standing`."""
    label = standing_label(account.standing)
    if account.standing == Standing.NOT_KNOWN:
        label = gettext("Not known, last read %(when)s") % {"when": ago(account.read_at)}
    elif account.differences:
        label = f"{label} ({account.differences})"
    return badges.badge(account.standing, label)


@dataclass(frozen=True)
class MarkLabel:
    """A mark as a chip shows it."""

    sign: str
    tone: str
    text: str


def chip_mark(chip: Chip, plain: bool = False) -> MarkLabel | None:
    """Returns the mark of something drawn; None of what is nothing special.

    `plain`: in the picture that the changes are told against, so that it does not tell them the other way round.
    """
    if not chip.mark:
        return None
    sign, tone, label = MARKS[chip.mark]
    if plain and chip.mark is Mark.ADDED:
        return MarkLabel("", badges.WARN, gettext("not in the account"))
    words = [_change_words(change, plain) for change in chip.changes] if chip.mark in TOLD_BY_CHANGES else []
    return MarkLabel(sign, tone, ", ".join(words) or str(label))


def _change_words(change: AttributeChange, plain: bool) -> str:
    """Says in a few words what is another about an item; a new name stands beside it."""
    if change.attribute == "name":
        return str(MARKS[Mark.RENAMED][2])
    if change.attribute in ("position", "group"):
        if plain or change.attribute == "group" or change.before == change.now:
            return str(MARKS[Mark.MOVED][2])
        return gettext("moved from %(before)s to %(now)s") % {"before": change.before, "now": change.now}
    return attribute_word(change.attribute)


def entity_label(entity: str) -> str:
    """Returns what the fields are of: leads, contacts or companies."""
    return str(ENTITIES.get(entity, entity))


def field_type_label(name: str) -> str:
    return str(FIELD_TYPES.get(name, name))


def is_colour(value: str) -> bool:
    """Tells if a colour of Kommo can be drawn: # and six hexadecimal digits."""
    return bool(COLOUR.fullmatch(value or ""))


def value_text(value: Any, attribute: str) -> str:
    """Returns a value of an attribute as a person reads it: nothing is a dash, yes and no are words.

    Only a colour is shown as one: an option may be called #ff0000.
    """
    if value is None or value in ("", [], {}):
        return "—"
    if value is True:
        return gettext("yes")
    if value is False:
        return gettext("no")
    if attribute == "color" and isinstance(value, str) and COLOUR.fullmatch(value):
        return format_html(SWATCH, value)
    if attribute == "type" and isinstance(value, str):
        return field_type_label(value)
    if attribute == "group" and value == OTHER_GROUP:
        return gettext(OTHER_GROUP)
    if isinstance(value, list):
        return ", ".join(value_text(item, "") for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {value_text(item, '')}" for key, item in value.items())
    return str(value)


def ago(moment: datetime) -> str:
    if timezone.now() - moment < timedelta(minutes=1):
        return gettext("just now")
    return gettext("%(when)s ago") % {"when": timesince(moment)}


def long_minutes(minutes: int) -> str:
    """Returns a length as people say it: in hours, if it has no other minutes."""
    hours, rest = divmod(minutes, 60)
    if rest:
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}


def day_and_time(moment: datetime) -> str:
    """Returns the moment as people say it: today, tomorrow and yesterday by that name."""
    local = timezone.localtime(moment)
    days = (local.date() - timezone.localdate()).days
    near = {-1: gettext("yesterday"), 0: gettext("today"), 1: gettext("tomorrow")}
    day = near.get(days) or date_format(local, "DATE_FORMAT")
    return f"{day}, {local:%H:%M}"


def duration(run: Any) -> str:
    """Returns the time from `started_at` to `finished_at`, or to now."""
    return span(run.started_at, run.finished_at)


def span(start: datetime | None, end: datetime | None) -> str:
    """Returns the time from one moment to another, or to now, in its two largest units; a dash without a start."""
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


def time_left(start: datetime, done: int, total: int) -> str:
    """Says how long the rest of `total` will take at the pace of the part that is done; "" while none is.

    Minutes are rounded up, so that the text does not change at every look.
    """
    if not done or done >= total:
        return ""
    seconds = (timezone.now() - start).total_seconds() * (total - done) / done
    if seconds < 60:
        return gettext("less than a minute left")
    minutes = math.ceil(seconds / 60)
    if minutes < 90:
        return ngettext("about %d minute left", "about %d minutes left", minutes) % minutes
    hours = round(minutes / 60)
    return ngettext("about %d hour left", "about %d hours left", hours) % hours
