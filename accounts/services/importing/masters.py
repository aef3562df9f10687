"""Every group has one master, before and after."""

from django.utils.translation import gettext as _

from accounts.services.importing.existing import Existing
from accounts.services.importing.values import AccountRow
from accounts.services.tables.table import RowError


def with_one_master(rows: list[AccountRow], existing: Existing) -> tuple[list[AccountRow], list[RowError]]:
    """Drops the rows that would give a group a second master, or take away its only one."""
    errors: list[RowError] = []
    for group in {row.group.name: row.group for row in rows}.values():
        current = existing.master_of(group) if group.pk else None
        ours = [row for row in rows if row.group is group]
        steps_down = [row for row in ours if row.account and row.account == current and not row.makes_master]
        master: AccountRow | None = None
        for row in (each for each in ours if each.makes_master):
            if master is not None:
                message = _("A second master; line %(line)d has one.") % {"line": master.line}
                errors.append(RowError(row.line, message))
            elif current is not None and row.account != current and not steps_down:
                message = _("The group already has the master %(name)s; make it a slave in the same file.")
                errors.append(RowError(row.line, message % {"name": current.subdomain}))
            else:
                master = row
        if steps_down and master is None:
            message = _("This would leave the group without a master; name the new one in the same file.")
            errors.append(RowError(steps_down[0].line, message))
    dropped = {error.line for error in errors}
    return [row for row in rows if row.line not in dropped], errors
