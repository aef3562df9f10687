"""Accounts from a file: every bad row named by its line, good rows kept, again without harm."""

from accounts.services.importing.running import import_accounts, import_table, preview_table
from accounts.services.importing.values import Action, Change, ImportRefused, ImportReport, Outcome
from accounts.services.tables.table import RowError, RowNote

__all__ = [
    "Action",
    "Change",
    "ImportRefused",
    "ImportReport",
    "Outcome",
    "RowError",
    "RowNote",
    "import_accounts",
    "import_table",
    "preview_table",
]
