"""The use cases: what a file would do, and doing it. No request goes to Kommo."""

from collections import defaultdict
from typing import IO

from django.db import transaction

from accounts.models import Account, SyncGroup
from accounts.services.importing.planning import Plan, plan
from accounts.services.importing.storing import store
from accounts.services.importing.values import Action, BadRow, Entry, ImportRefused, ImportReport, Outcome
from accounts.services.tables.table import RowError, RowNote, Table, UnreadableFile, read_table

Kept = tuple[Entry, Account | None]  # a row, and the account as it is stored; None: it is still to be made


def import_accounts(file: IO[bytes], group_name: str | None = None) -> ImportReport:
    """Creates and updates accounts by their subdomain from a CSV or XLSX file.

    `group_name` None: the only group, or a new one named "Default" when there is none. Raises ImportRefused.
    """
    try:
        table = read_table(file.read())
    except UnreadableFile as error:
        raise ImportRefused(str(error)) from error
    return import_table(table, group_name)


def preview_table(table: Table, group_name: str | None = None) -> ImportReport:
    """What `import_table` would do now; nothing is written or locked. Raises ImportRefused."""
    planned = plan(table, group_name)
    return _report(planned, [(entry, entry.account) for entry in planned.entries], planned.errors, table.notes)


def import_table(table: Table, group_name: str | None = None) -> ImportReport:
    """Stores the good rows, each by itself; the others are named. Raises ImportRefused."""
    with transaction.atomic():
        # Locked, as two imports must not make two masters.
        list(SyncGroup.objects.select_for_update().values_list("pk"))
        planned = plan(table, group_name)
        stored: list[Kept] = []
        errors = list(planned.errors)
        # The new master first: its savepoint also holds the step down of the old one.
        for entry in sorted(planned.entries, key=lambda each: not each.makes_master):
            try:
                stored.append((entry, store(entry)))
            except BadRow as error:
                errors.append(RowError(entry.line, str(error)))
    return _report(planned, stored, errors, table.notes)


def _report(planned: Plan, entries: list[Kept], errors: list[RowError], notes: list[RowNote]) -> ImportReport:
    said: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for line, message in notes:
        said[line] += (message,)
    good = (
        Outcome(
            entry.line,
            entry.action,
            subdomain=entry.subdomain,
            group=entry.group.name,
            account=account,
            changes=entry.changes,
            notes=said[entry.line] + entry.notes,
        )
        for entry, account in entries
    )
    bad = (Outcome(line, Action.REFUSED, message=message, notes=said[line]) for line, message in errors)
    outcomes = sorted([*good, *bad], key=lambda outcome: outcome.line)
    return ImportReport(planned.group, tuple(outcomes), said[0])
