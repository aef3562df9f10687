"""A file of accounts for django-import-export: what its content says it is, as our own reader understands it."""

from typing import Any

import tablib
from django.utils.translation import gettext as _
from import_export.formats.base_formats import Format

from accounts.exchange.uploads import unsealed
from accounts.services.tables.table import Table, UnreadableFile, read_table

LINE = "line"
HEADERS = (LINE, "subdomain")


class TableDataset(tablib.Dataset):  # type: ignore[misc]
    """One row per line of the file, also for a line that is no good.

    It holds what may be shown; the cells, secrets among them, stay in `table`, which the library never looks into.
    """

    def __init__(self, table: Table) -> None:
        good = [(row.line, row.cells["subdomain"]) for row in table.rows]
        super().__init__(*sorted([*good, *((error.line, "") for error in table.errors)]), headers=HEADERS)
        self.table = table


class TableFormat(Format):  # type: ignore[misc]
    """CSV or XLSX; nobody has to choose."""

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding

    def get_title(self) -> str:
        return "CSV, XLSX"

    def can_import(self) -> bool:
        return True

    def create_dataset(self, in_stream: bytes, **kwargs: Any) -> TableDataset:
        """Raises UnreadableFile, with a message for the operator."""
        table = read_table(unsealed(in_stream))
        if not table.rows and not table.errors:
            raise UnreadableFile(_("The file names its columns and has no line below."))
        return TableDataset(table)
