"""Accounts for django-import-export: an import is our own, line by line; an export never holds a secret."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from import_export import resources
from import_export.fields import Field
from import_export.results import Result, RowResult
from import_export.widgets import Widget

from accounts.exchange.formats import HEADERS, LINE, TableDataset
from accounts.models import RELATED_INTEGRATION_SECRETS, SECRETS, Account
from accounts.services.importing import Action, ImportReport, Outcome, import_table, preview_table
from accounts.services.tables.formulas import guarded

TYPES = {
    Action.CREATED: RowResult.IMPORT_TYPE_NEW,
    Action.UPDATED: RowResult.IMPORT_TYPE_UPDATE,
    Action.UNCHANGED: RowResult.IMPORT_TYPE_SKIP,
    Action.REFUSED: RowResult.IMPORT_TYPE_INVALID,
}
# No spreadsheet takes control characters, and a line break inside a cell is none of ours.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]+")


class Text(Widget):  # type: ignore[misc]
    """Everything as text that no spreadsheet takes for a formula, a date or a number."""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, datetime):
            return timezone.localtime(value).isoformat(sep=" ", timespec="minutes")
        return guarded(UNPRINTABLE.sub(" ", str(value)))


def column(name: str, attribute: str | None = None) -> Any:
    return Field(attribute or name, name, widget=Text())


class ImportResult(Result):  # type: ignore[misc]
    """Bad lines do not keep the good ones out: they are named beside them."""

    report: ImportReport | None = None

    def has_validation_errors(self) -> bool:
        return False


class AccountResource(resources.ModelResource):  # type: ignore[misc]
    """Columns of an export, and importing by the rules of `accounts.services.importing`, which the command uses too."""

    subdomain = column("subdomain")
    role = column("role")
    name = column("name")
    group = column("group", "group__name")
    email = column("email", "contact_email")
    client_id = column("client_id", "integration__client_id")
    redirect_uri = column("redirect_uri", "integration__redirect_uri")
    credential = column("credential", "credential_kind")
    health = column("health", "get_health_display")
    health_reason = column("health_reason")
    checked = column("checked", "checked_at")
    token_expires = column("token_expires", "token_expires_at")
    kommo_id = column("kommo_id")
    paused = column("paused")

    class Meta:
        model = Account
        fields = (
            *("subdomain", "role", "name", "group", "email", "client_id", "redirect_uri", "credential", "health"),
            *("health_reason", "checked", "token_expires", "kommo_id", "paused"),
        )
        import_id_fields = ("subdomain",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report: ImportReport | None = None
        self.outcomes: dict[int, Outcome] = {}

    # -- export --

    def filter_export(self, queryset: QuerySet[Account], **kwargs: Any) -> QuerySet[Account]:
        rows = queryset.select_related("group", "integration")
        return rows.defer(*SECRETS, *RELATED_INTEGRATION_SECRETS)

    # -- import --

    @classmethod
    def get_result_class(cls) -> type[ImportResult]:
        return ImportResult

    def get_diff_headers(self) -> list[str]:
        return list(HEADERS)

    def import_data(
        self, dataset: TableDataset, dry_run: bool = False, raise_errors: bool = False, **kwargs: Any
    ) -> Any:
        """The services open their own transaction; a preview opens none, as it would keep SQLite's only writer out."""
        for unused in ("use_transactions", "collect_failed_rows", "rollback_on_validation_errors"):
            kwargs.pop(unused, None)
        return self.import_data_inner(dataset, dry_run, raise_errors, False, False, preview=dry_run, **kwargs)

    def before_import(
        self, dataset: TableDataset, preview: bool = False, group_name: str | None = None, **kwargs: Any
    ) -> None:
        """Everything happens here, as rows depend on each other; raises ImportRefused."""
        work = preview_table if preview else import_table
        self.report = work(dataset.table, group_name)
        self.outcomes = {outcome.line: outcome for outcome in self.report.outcomes}

    def import_row(self, row: Mapping[str, Any], instance_loader: Any, **kwargs: Any) -> RowResult:
        """What became of one line, told in the library's words."""
        told = RowResult()
        outcome = self.outcomes.get(row[LINE])
        if outcome is None:  # the file was refused as a whole
            told.import_type = RowResult.IMPORT_TYPE_SKIP
            return told
        told.import_type = TYPES[outcome.action]
        told.instance = outcome.account
        told.add_instance_info(outcome.account)
        if outcome.action == Action.REFUSED:
            told.validation_error = ValidationError(outcome.message)
        return told

    def after_import(self, dataset: TableDataset, result: ImportResult, **kwargs: Any) -> None:
        result.report = self.report
