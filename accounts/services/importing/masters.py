"""Every group has one master, before and after."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from accounts.services.importing.stored import Stored
from accounts.services.importing.values import Entry
from accounts.services.tables.table import RowError


def with_one_master(entries: list[Entry], stored: Stored) -> tuple[list[Entry], list[RowError]]:
    """Drops the rows that would give a group a second master, or take away its only one."""
    errors: list[RowError] = []
    for group in {entry.group.name: entry.group for entry in entries}.values():
        current = stored.master_of(group) if group.pk else None
        errors += _dropped([entry for entry in entries if entry.group is group], current.subdomain if current else None)
    dropped = {error.line for error in errors}
    return [entry for entry in entries if entry.line not in dropped], errors


def _dropped(entries: Iterable[Entry], current: str | None) -> list[RowError]:
    """`current` is the subdomain of the group's master."""
    entries = list(entries)
    steps_down = next((each for each in entries if each.subdomain == current and not each.makes_master), None)
    master, errors = None, []
    for entry in entries:
        if not entry.makes_master:
            continue
        if master is not None:
            errors.append(RowError(entry.line, _("A second master; line %(line)d has one.") % {"line": master.line}))
        elif current is not None and entry.subdomain != current and steps_down is None:
            message = _("The group already has the master %(name)s; make it a slave in the same file.")
            errors.append(RowError(entry.line, message % {"name": current}))
        else:
            master = entry
    if steps_down is not None and master is None:
        message = _("This would leave the group without a master; name the new one in the same file.")
        errors.append(RowError(steps_down.line, message))
    return errors
