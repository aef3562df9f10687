"""The use cases: previews a file, imports it. No request goes to Kommo."""

from collections import defaultdict
from collections.abc import Iterable
from typing import IO

from django.db import transaction

from accounts.models import Account, SyncGroup
from accounts.services.importing.planning import ImportPlan, plan
from accounts.services.importing.values import AccountRow, BadRow, ImportReport, LineAction, LineOutcome
from accounts.services.importing.write import write_row
from accounts.services.tables.table import RowError, Table, read_table


def import_accounts(file: IO[bytes], group_name: str | None = None) -> ImportReport:
    """Creates and updates accounts by their subdomain from a CSV or XLSX file.

    `group_name` None: the only group, or a new one named "Default" when there is none. Raises Refusal.
    """
    return import_table(read_table(file.read()), group_name)


def preview_table(table: Table, group_name: str | None = None) -> ImportReport:
    """Returns what `import_table` would do now; nothing is written or locked. Raises Refusal."""
    planned = plan(table, group_name)
    return _report(table, planned, ((row, row.account) for row in planned.rows), planned.errors)


def import_table(table: Table, group_name: str | None = None) -> ImportReport:
    """Stores the good rows, each by itself; the others are named. Raises Refusal."""
    with transaction.atomic():
        # Locked, as two imports must not make two masters.
        list(SyncGroup.objects.select_for_update().values_list("pk"))
        planned = plan(table, group_name)
        stored: list[tuple[AccountRow, Account | None]] = []
        errors = list(planned.errors)
        # The new master first: its savepoint also holds the step down of the old one.
        for row in sorted(planned.rows, key=lambda each: not each.makes_master):
            try:
                stored.append((row, write_row(row)))
            except BadRow as error:
                errors.append(RowError(row.line, str(error)))
    return _report(table, planned, stored, errors)


def _report(
    table: Table, planned: ImportPlan, rows: Iterable[tuple[AccountRow, Account | None]], errors: list[RowError]
) -> ImportReport:
    """Reports on the good `rows`, each with its account (None: it is still to be created), and on the `errors`."""
    notes: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for line, message in table.notes:
        notes[line] += (message,)
    good = (
        LineOutcome(
            row.line,
            row.action,
            subdomain=row.subdomain,
            group=row.group.name,
            account=account,
            changes=row.changes,
            notes=notes[row.line] + row.notes,
        )
        for row, account in rows
    )
    bad = (LineOutcome(line, LineAction.REFUSED, message=message, notes=notes[line]) for line, message in errors)
    outcomes = sorted([*good, *bad], key=lambda outcome: outcome.line)
    return ImportReport(planned.group, tuple(outcomes), notes[0])
