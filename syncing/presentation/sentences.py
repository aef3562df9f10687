"""Differences as sentences: what is unlike in one account, and what several accounts have in common."""

from typing import Any, Protocol

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from syncing.presentation.labels import attribute_label, value_text


class ToldDifference(Protocol):
    """What a sentence needs of a difference."""

    action: str
    attribute: str
    ours: Any
    theirs: Any


def difference_sentence(row: ToldDifference) -> str:
    """Says how the account differs from the master in one attribute, or in a whole item; colours are drawn."""
    if row.action == "create":
        return _("The master has it, this account does not.")
    if row.action == "delete":
        return _("Only this account has it; the next run deletes it.")
    if row.action == "extra":
        return _("Only this account has it; runs keep it.")
    if row.attribute == "name":
        sentence = _("Renamed: “{here}” here, “{master}” in the master.")
    elif row.attribute == "position":
        sentence = _("Moved: place {here} here, place {master} in the master.")
    else:
        sentence = _("{what}: {here} here, {master} in the master.")
    here, master = (value_text(value, row.attribute) for value in (row.theirs, row.ours))
    return format_html(sentence, what=attribute_label(row.attribute), here=here, master=master)


def common_sentence(action: str, attribute: str, accounts: int) -> str:
    """Says what so many accounts have in common about one item."""
    numbers = {"n": accounts, "what": attribute_label(attribute)}
    if action == "create":
        return ngettext("missing in %(n)d account", "missing in %(n)d accounts", accounts) % numbers
    if action == "delete":
        return (
            ngettext(
                "only in %(n)d account, and deleted by the next run",
                "only in %(n)d accounts, and deleted by the next run",
                accounts,
            )
            % numbers
        )
    if action == "extra":
        return ngettext("only in %(n)d account", "only in %(n)d accounts", accounts) % numbers
    if attribute == "name":
        return ngettext("renamed in %(n)d account", "renamed in %(n)d accounts", accounts) % numbers
    if attribute == "position":
        return ngettext("moved in %(n)d account", "moved in %(n)d accounts", accounts) % numbers
    return ngettext("%(what)s differs in %(n)d account", "%(what)s differs in %(n)d accounts", accounts) % numbers
