"""The plan of an import: compares rows with what is stored and says what would change; writes nothing."""

from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from accounts.services.importing.existing import Existing
from accounts.services.importing.integrations import changes_of, with_integrations
from accounts.services.importing.masters import with_one_master
from accounts.services.importing.rows import FIELDS, account_rows, group_for
from accounts.services.importing.tokens import brings_pair, brings_token, with_own_tokens
from accounts.services.importing.values import IS_NEW, IS_SET, AccountRow, ColumnChange
from accounts.services.tables.table import RowError, Table

OF_THE_ACCOUNT = ("name", "email")


@dataclass(frozen=True)
class ImportPlan:
    """The rows that can be stored, in their order, and what is wrong with the other lines."""

    group: str
    rows: list[AccountRow]
    errors: list[RowError]


def plan(table: Table, group_name: str | None) -> ImportPlan:
    """Raises Refusal when it is not clear which group the accounts go into."""
    existing = Existing()
    group = group_for(table.rows, group_name, existing)
    rows, errors = account_rows(table.rows, group, existing)
    dropped: list[RowError] | None = None
    while dropped is None or dropped:  # as long as a row is dropped that another one counted on
        rows, of_tokens = with_own_tokens(rows, existing)
        rows, of_integrations = with_integrations(rows, existing)
        rows, of_masters = with_one_master(rows, existing)
        dropped = [*of_tokens, *of_integrations, *of_masters]
        errors += dropped
    names = {row.group.name for row in rows} or ({group.name} if group else set())
    return ImportPlan(", ".join(sorted(names)), _with_changes(rows, existing), [*table.errors, *errors])


def _with_changes(rows: list[AccountRow], existing: Existing) -> list[AccountRow]:
    """Returns the rows with what they change; the change of an integration belongs to the first row that wants it."""
    seen: set[str] = set()
    result = []
    for row in rows:
        changes, notes = _account_changes(row, existing), row.notes
        if {"token", "refresh_token"} <= row.given.keys():
            notes = (_("The line has a token and a refresh_token; the long-lived token is used."),)
        if row.integration and row.integration.client_id not in seen:
            seen.add(row.integration.client_id)
            of_integration, its_notes = changes_of(row.integration)
            changes, notes = (*changes, *of_integration), (*notes, *its_notes)
        result.append(replace(row, changes=changes, notes=notes))
    return result


def _account_changes(row: AccountRow, existing: Existing) -> tuple[ColumnChange, ...]:
    """Returns what a row changes in its account; of a secret only that it becomes another."""
    account = row.account
    old, new = {"role": account.role if account else ""}, {"role": row.role}
    for column in OF_THE_ACCOUNT:
        old[column] = getattr(account, FIELDS.get(column, column)) if account else ""
        new[column] = row.given.get(column, old[column])
    old["client_id"] = existing.client_id(account)
    new["client_id"] = row.integration.client_id if row.integration else old["client_id"]
    changes = [ColumnChange(column, old[column], new[column]) for column in new if old[column] != new[column]]
    if brings_token(row):
        changes.append(ColumnChange("token", str(IS_SET) if getattr(account, "stored_token", "") else "", str(IS_NEW)))
        if getattr(account, "stored_refresh", ""):
            changes.append(ColumnChange("refresh_token", str(IS_SET), ""))  # the token takes the place of the consent
    if brings_pair(row):
        stored = str(IS_SET) if getattr(account, "stored_refresh", "") else ""
        changes.append(ColumnChange("refresh_token", stored, str(IS_NEW)))
    return tuple(changes)
