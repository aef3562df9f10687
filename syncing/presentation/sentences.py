"""Differences as sentences: what is unlike in one account, and what several accounts have in common."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from syncing.models import Drift
from syncing.presentation.labels import attribute_label, attribute_word, value_text

# Attributes that are a list of names.
LISTS = ("enums", "required_statuses", "hidden_statuses")


class ToldDifference(Protocol):
    """What a sentence needs of a difference."""

    @property
    def action(self) -> str: ...

    @property
    def attribute(self) -> str: ...

    @property
    def ours(self) -> Any: ...

    @property
    def theirs(self) -> Any: ...


def difference_sentence(row: ToldDifference) -> str:
    """Says how the account differs from the master in one attribute, or in a whole item; colours are drawn."""
    if row.action == "create":
        return _("The master has it, this account does not.")
    if row.action == "delete":
        return _("Only this account has it; a sync would delete it, as the policy says.")
    if row.action == "extra":
        return _("Only this account has it; runs keep it.")
    if row.attribute == "name":
        sentence = _("Renamed: “{here}” here, “{master}” in the master.")
    elif row.attribute == "position":
        sentence = _("Moved from place {master} to place {here}.")
    elif row.attribute in LISTS:
        return _list_sentence(attribute_label(row.attribute), list(row.ours or ()), list(row.theirs or ()))
    else:
        sentence = _("{what}: {here} here, {master} in the master.")
    here, master = (value_text(value, row.attribute) for value in (row.theirs, row.ours))
    return format_html(sentence, what=attribute_label(row.attribute), here=here, master=master)


def _list_sentence(what: str, ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Says which names only one of the two lists has, or that their order differs."""
    here = ", ".join(f"“{name}”" for name in theirs if name not in ours)
    master = ", ".join(f"“{name}”" for name in ours if name not in theirs)
    if here and master:
        sentence = _("{what}: only here {here}; only in the master {master}.")
    elif here:
        sentence = _("{what}: only here {here}.")
    elif master:
        sentence = _("{what}: only in the master {master}.")
    else:
        sentence = _("{what}: in another order than in the master.")
    return format_html(sentence, what=what, here=here, master=master)


def settle_label(causes: Iterable[str], accounts: int = 1) -> str:
    """Names by its effect what makes accounts like their master: only edits are reverted, by these causes."""
    found = set(causes)
    if found == {"slave"}:
        return _("Revert")
    if found == {"master"}:
        return ngettext("Bring to the account", "Bring to the accounts", accounts)
    return _("Make as in the master")


def settle_all_label(drift: Drift) -> str:
    """Names by its effect what makes a whole account like its master."""
    if drift.by_slave == drift.count:
        return _("Revert all")
    if drift.by_master == drift.count:
        return _("Bring all to the account")
    return _("Make all as in the master")


def common_sentence(action: str, attribute: str, accounts: int, *, deletes_unasked: bool) -> str:
    """Says what so many accounts have in common about one item; `deletes_unasked`: no person sees a deletion before."""
    numbers = {"n": accounts, "what": attribute_word(attribute)}
    if action == "create":
        return ngettext("missing in %(n)d account", "missing in %(n)d accounts", accounts) % numbers
    if action == "delete" and deletes_unasked:
        text = ngettext(
            "only in %(n)d account, and deleted by the next run",
            "only in %(n)d accounts, and deleted by the next run",
            accounts,
        )
        return text % numbers
    if action == "delete":
        text = ngettext(
            "only in %(n)d account, and deleted once a person starts or approves it",
            "only in %(n)d accounts, and deleted once a person starts or approves it",
            accounts,
        )
        return text % numbers
    if action == "extra":
        return ngettext("only in %(n)d account", "only in %(n)d accounts", accounts) % numbers
    if attribute == "name":
        return ngettext("renamed in %(n)d account", "renamed in %(n)d accounts", accounts) % numbers
    if attribute == "position":
        return ngettext("moved in %(n)d account", "moved in %(n)d accounts", accounts) % numbers
    return ngettext("changed in %(n)d account: %(what)s", "changed in %(n)d accounts: %(what)s", accounts) % numbers
