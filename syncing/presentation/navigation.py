"""The sections of the console, in the order of the header."""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
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


def links(path: str, may: Callable[[str], bool]) -> list[SectionLink]:
    """Returns the sections that somebody may see, with the one that the page at `path` belongs to."""
    here = section_of(path)
    return [
        SectionLink(section.label, reverse(section.url_name), section is here)
        for section in SECTIONS
        if not section.permission or may(section.permission)
    ]


def section_of(path: str) -> ConsoleSection:
    """Returns the section with the longest beginning of an address; the first page is that of the overview."""
    if path == "/":
        return SECTIONS[0]
    lengths = {each: max(len(start) for start in ("", *each.below) if path.startswith(start)) for each in SECTIONS}
    return max(SECTIONS, key=lambda section: lengths[section])
