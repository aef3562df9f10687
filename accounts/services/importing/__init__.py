"""Accounts from a file: every bad row is named by its line, good rows are stored, a second import changes nothing."""

from accounts.services.importing.use_cases import import_accounts, import_table, preview_table
from accounts.services.importing.values import ImportReport, LineAction, LineOutcome

__all__ = [
    "ImportReport",
    "LineAction",
    "LineOutcome",
    "import_accounts",
    "import_table",
    "preview_table",
]
