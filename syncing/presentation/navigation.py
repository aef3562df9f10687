"""The sections of the console, in the order of the header, and where the pages of tables stand below them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class ConsoleSection:
    """A section: the name of its address, the permission to see it, and the beginnings of the addresses below it."""

    label: str | Promise
    url_name: str
    permission: str
    below: tuple[str, ...]


@dataclass(frozen=True)
class SectionLink:
    label: str | Promise
    url: str
    is_here: bool


@dataclass(frozen=True)
class TrailLink:
    label: str | Promise
    url: str


SECTIONS = (
    ConsoleSection(_("Overview"), "syncing:dashboard", "", ("/dashboard/",)),
    ConsoleSection(
        _("Accounts"),
        "syncing:accounts",
        "accounts.view_account",
        ("/accounts/", "/connections/", "/oauth/"),
    ),
    ConsoleSection(
        _("Runs"),
        "syncing:runs",
        "syncing.view_syncrun",
        ("/runs/", "/groups/", "/syncing/syncrun/", "/syncing/accountrun/"),
    ),
    ConsoleSection(_("Drift"), "syncing:drift", "syncing.view_drift", ("/drift/", "/promote/", "/syncing/drift/")),
    ConsoleSection(
        _("Automation"),
        "syncing:automation",
        "accounts.view_syncgroup",
        ("/automation/", "/syncing/schedule/", "/syncing/window/", "/syncing/channel/"),
    ),
    ConsoleSection(_("To do"), "syncing:todo", "syncing.view_accountrun", ("/todo/",)),
    ConsoleSection(_("Settings"), "syncing:settings", "", ("/", "/accounts/syncgroup/", "/accounts/integration/")),
)
SEES_DATA = "auth.change_user"  # only administrators have it
# The pages above the form of a table, from the section down; a table that is not here is under Settings, Data.
ABOVE = {
    "accounts.account": ("syncing:accounts",),
    "accounts.syncgroup": ("syncing:settings",),
    "accounts.integration": ("syncing:settings", "syncing:integrations"),
    "syncing.apikey": ("syncing:settings", "syncing:keys"),
    "syncing.auditentry": ("syncing:settings", "syncing:audit"),
    "auth.user": ("syncing:settings", "syncing:people"),
    "auth.group": ("syncing:settings", "syncing:people"),
    "syncing.channel": ("syncing:automation",),
    "syncing.schedule": ("syncing:automation",),
    "syncing.window": ("syncing:automation",),
}
DATA = ("syncing:settings", "syncing:data")
NAMES = {
    **{section.url_name: section.label for section in SECTIONS},
    "syncing:integrations": _("Integrations"),
    "syncing:keys": _("API keys"),
    "syncing:audit": _("Audit"),
    "syncing:people": _("People"),
    "syncing:data": _("Data"),
}


def links(path: str, may: Callable[[str], bool]) -> list[SectionLink]:
    """Returns the sections that somebody may see, with the one that the page at `path` belongs to."""
    here = section_of(path)
    return [
        SectionLink(section.label, reverse(section.url_name), section is here)
        for section in SECTIONS
        if not section.permission or may(section.permission)
    ]


def section_of(path: str) -> ConsoleSection | None:
    """Returns the section with the longest beginning of an address; the first page is that of the overview.

    The search is in none.
    """
    if path == "/":
        return SECTIONS[0]
    if path == reverse("syncing:search"):
        return None
    lengths = {each: max(len(start) for start in ("", *each.below) if path.startswith(start)) for each in SECTIONS}
    return max(SECTIONS, key=lambda section: lengths[section])


def page_above(opts: Any) -> str:
    """Returns the address of the page that people come from to the form of a table; `opts`: its model's `_meta`."""
    return reverse(ABOVE.get(opts.label_lower, DATA)[-1])


def trail(opts: Any, may: Callable[[str], bool], *, item: Any = None, is_list: bool = False) -> list[TrailLink]:
    """Returns the links above the title of a page about a table (`is_list`) or one row of it.

    `item`: the row, on pages below its form.
    """
    names = ABOVE.get(opts.label_lower, DATA)
    above = [TrailLink(NAMES[name], reverse(name)) for name in names if name != "syncing:data" or may(SEES_DATA)]
    if names == DATA and not is_list:
        url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
        above.append(TrailLink(capfirst(opts.verbose_name_plural), url))
    if item is not None:
        is_account = opts.label_lower == "accounts.account"
        name = "syncing:account" if is_account else f"admin:{opts.app_label}_{opts.model_name}_change"
        above.append(TrailLink(str(item), reverse(name, args=[item.pk])))
    return above
