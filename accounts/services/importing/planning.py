"""What an import would change: rows and what is stored in, entries with their changes out; nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from accounts.services.importing.integrations import changes_of, with_integrations
from accounts.services.importing.masters import with_one_master
from accounts.services.importing.rows import FIELDS, entries_of, group_for
from accounts.services.importing.stored import Stored
from accounts.services.importing.tokens import brings_pair, brings_token, with_own_tokens
from accounts.services.importing.values import IS_NEW, IS_SET, Change, Entry
from accounts.services.tables.table import RowError, Table

OF_THE_ACCOUNT = ("name", "email")


@dataclass(frozen=True)
class Plan:
    """The rows that can be stored, in their order, and what is wrong with the other lines."""

    group: str
    entries: list[Entry]
    errors: list[RowError]


def plan(table: Table, group_name: str | None) -> Plan:
    """Raises ImportRefused when it is not clear which group the accounts go into."""
    stored = Stored()
    group = group_for(table.rows, group_name, stored)
    entries, errors = entries_of(table.rows, group, stored)
    found: list[RowError] | None = None
    while found is None or found:  # as long as a row is dropped that another one counted on
        entries, of_tokens = with_own_tokens(entries, stored)
        entries, of_integrations = with_integrations(entries, stored)
        entries, of_masters = with_one_master(entries, stored)
        found = [*of_tokens, *of_integrations, *of_masters]
        errors += found
    names = {entry.group.name for entry in entries} or ({group.name} if group else set())
    return Plan(", ".join(sorted(names)), _with_changes(entries, stored), [*table.errors, *errors])


def _with_changes(entries: list[Entry], stored: Stored) -> list[Entry]:
    """What becomes of an integration is told by the first row that wants it."""
    told: set[str] = set()
    result = []
    for entry in entries:
        changes, notes = _changes(entry, stored), _notes(entry.given)
        if entry.integration and entry.integration.client_id not in told:
            told.add(entry.integration.client_id)
            of_integration, said = changes_of(entry.integration)
            changes, notes = (*changes, *of_integration), (*notes, *said)
        result.append(replace(entry, changes=changes, notes=notes))
    return result


def _changes(entry: Entry, stored: Stored) -> tuple[Change, ...]:
    """What becomes of the account itself."""
    account = entry.account
    old, new = {"role": account.role if account else ""}, {"role": entry.role}
    for column in OF_THE_ACCOUNT:
        old[column] = getattr(account, FIELDS.get(column, column)) if account else ""
        new[column] = entry.given.get(column, old[column])
    old["client_id"] = stored.client_id(account)
    new["client_id"] = entry.integration.client_id if entry.integration else old["client_id"]
    changes = [Change(column, old[column], new[column]) for column in new if old[column] != new[column]]
    if brings_token(entry):
        changes.append(Change("token", IS_SET if getattr(account, "stored_token", "") else "", IS_NEW))
        if getattr(account, "stored_refresh", ""):
            changes.append(Change("refresh_token", IS_SET, ""))  # the token takes the place of the consent
    if brings_pair(entry):
        changes.append(Change("refresh_token", IS_SET if getattr(account, "stored_refresh", "") else "", IS_NEW))
    return tuple(changes)


def _notes(given: Mapping[str, str]) -> tuple[str, ...]:
    if "token" in given and "refresh_token" in given:
        return (_("Of token and refresh_token the long-lived token is used."),)
    return ()
