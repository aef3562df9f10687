"""Accounts as a CSV or XLSX file: no secret, no formula, and an import of it changes nothing."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone
from openpyxl import Workbook
from openpyxl.styles import Font

from accounts.models import RELATED_INTEGRATION_SECRETS, SECRETS, Account
from accounts.own_words import translated
from accounts.services.tables.formulas import guarded

COLUMNS: dict[str, Callable[[Account], object]] = {
    "subdomain": lambda account: account.subdomain,
    "role": lambda account: account.role,
    "name": lambda account: account.name,
    "group": lambda account: account.group.name,
    "email": lambda account: account.contact_email,
    "client_id": lambda account: account.integration and account.integration.client_id,
    "redirect_uri": lambda account: account.integration and account.integration.redirect_uri,
    "credential": lambda account: account.credential_kind,
    "health": lambda account: account.get_health_display(),
    "health_reason": lambda account: translated(account.health_reason),
    "checked": lambda account: account.checked_at,
    "token_expires": lambda account: account.token_expires_at,
    "kommo_id": lambda account: account.kommo_id,
    "paused": lambda account: account.is_paused,
}
# No spreadsheet takes control characters, and a line break inside a cell is none of ours.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]+")


def export_rows(accounts: QuerySet[Account]) -> list[list[str]]:
    """Returns the names of the columns, and below them a row for each account."""
    loaded = accounts.select_related("group", "integration").defer(*SECRETS, *RELATED_INTEGRATION_SECRETS)
    return [list(COLUMNS), *([_cell(value(account)) for value in COLUMNS.values()] for account in loaded)]


def _cell(value: object) -> str:
    """Returns text that no spreadsheet takes for a formula, a date or a number."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(sep=" ", timespec="minutes")
    return guarded(UNPRINTABLE.sub(" ", str(value)))


def csv_file(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8-sig")  # with a BOM: without one Excel takes it for its own code page


def xlsx_file(rows: list[list[str]]) -> bytes:
    """Returns a workbook whose columns are as wide as their texts; the line with their names is bold and stays."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title, sheet.freeze_panes = "accounts", "A2"
    for row in rows:
        sheet.append(row)
    for name, texts in zip(sheet[1], zip(*rows, strict=True), strict=True):
        name.font = Font(bold=True)
        sheet.column_dimensions[name.column_letter].width = max(len(text) for text in texts)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@dataclass(frozen=True)
class FileFormat:
    """A format of the file; `write` turns rows into its content."""

    extension: str
    content_type: str
    write: Callable[[list[list[str]]], bytes]


CSV = FileFormat("csv", "text/csv", csv_file)
XLSX = FileFormat("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", xlsx_file)
FORMATS = (CSV, XLSX)
