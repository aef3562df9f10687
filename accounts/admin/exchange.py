"""Import and export in the list of accounts: look at a file, confirm it, see what became of it; and download one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin
from import_export.formats.base_formats import CSV, XLSX

from accounts import badges
from accounts.exchange.formats import TableFormat
from accounts.exchange.forms import ConfirmImportForm, ExportForm, ImportForm
from accounts.exchange.resources import AccountResource, ImportResult
from accounts.exchange.uploads import SealedStorage, UploadGone, forget_upload
from accounts.models import Account
from accounts.pages import person
from accounts.services.importing import Action, ImportRefused, ImportReport, Outcome
from accounts.services.tables.table import COLUMNS, UnreadableFile

UPLOAD = "accounts_import"  # in the session: the name of the file that this person is looking at
SHOWN = 500  # lines of each kind on a page
TITLES = {
    Action.REFUSED: (_("Left out"), badges.BAD),
    Action.CREATED: (_("New"), badges.OK),
    Action.UPDATED: (_("Changed"), badges.INFO),
    Action.UNCHANGED: (_("Unchanged"), badges.IDLE),
}


@dataclass(frozen=True)
class Section:
    """The lines with one outcome, as many as a page holds."""

    action: Action
    title: Any
    tone: str
    count: int
    outcomes: list[Outcome]

    @property
    def more(self) -> int:
        return self.count - len(self.outcomes)


def sections(report: ImportReport) -> Iterator[Section]:
    for action, (title, tone) in TITLES.items():
        outcomes = [outcome for outcome in report.outcomes if outcome.action == action]
        if outcomes:
            yield Section(action, title, tone, len(outcomes), outcomes[:SHOWN])


class ExchangeMixin(ImportExportMixin):  # type: ignore[misc]
    """Import and export of accounts; the rules of an import are those of `accounts.services.importing`."""

    resource_classes = [AccountResource]
    import_form_class = ImportForm
    confirm_form_class = ConfirmImportForm
    export_form_class = ExportForm
    tmp_storage_class = SealedStorage
    to_encoding = "utf-8-sig"  # with a BOM: without one Excel takes it for its own code page
    import_export_change_list_template = None  # the list has its own
    import_template_name = "accounts/import_accounts.html"
    export_template_name = "accounts/export_accounts.html"

    def get_import_formats(self) -> list[Any]:
        return [TableFormat]

    def get_export_formats(self) -> list[Any]:
        return [CSV, XLSX]

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Whoever takes accounts out must be allowed to see them."""
        return bool(super().has_export_permission(request)) and self.has_view_permission(request)

    # -- import: the file, the preview --

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """The form; with a file what it would do. A file that was looked at before is wanted no more."""
        forget_upload(request.session.pop(UPLOAD, None))
        answer: TemplateResponse = super().import_action(request, **kwargs)
        assert answer.context_data is not None
        confirm = answer.context_data.get("confirm_form")
        if confirm is not None:
            request.session[UPLOAD] = confirm.initial["import_file_name"]
        else:
            forget_upload(_stored_name(answer.context_data["form"]))
        result = answer.context_data.get("result")
        answer.context_data.update(title=_("Import accounts"), columns=COLUMNS, **_told(result))
        return answer

    def write_to_tmp_storage(self, import_file: Any, input_format: Any) -> SealedStorage:
        storage = SealedStorage()
        storage.save(import_file.read())
        return storage

    def add_data_read_fail_error_to_form(self, form: ImportForm, e: Exception) -> None:
        if not isinstance(e, UnreadableFile):
            raise e
        form.add_error("import_file", str(e))

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial = super().get_confirm_form_initial(request, import_form)
        return {**initial, "group": import_form.cleaned_data["group"]} if import_form else initial

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        group = kwargs["form"].cleaned_data["group"]
        return {"group_name": group.name if group else None}

    # -- import: confirmed --

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Imports the file that this person looked at, once."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        name = request.session.pop(UPLOAD, None)
        if name is None or request.POST.get("import_file_name") != name:
            return self._gone(request)
        try:
            answer: HttpResponse = super().process_import(request, **kwargs)
            return answer
        except UploadGone:
            return self._gone(request)
        finally:
            forget_upload(name)

    def _gone(self, request: HttpRequest) -> HttpResponse:
        messages.error(request, _("This file was imported already, or waited for more than an hour; choose it again."))
        return HttpResponseRedirect(reverse("admin:accounts_account_import"))

    def process_result(self, result: ImportResult, request: HttpRequest) -> HttpResponse:
        """The page with what became of every line."""
        if result.report is None:
            for refusal in _refusals(result):
                messages.error(request, str(refusal))
            return HttpResponseRedirect(reverse("admin:accounts_account_import"))
        _log(result.report, request)
        context = {
            **self.admin_site.each_context(request),
            "opts": Account._meta,
            "title": _("Accounts imported"),
            "is_done": True,
            **_told(result),
        }
        return TemplateResponse(request, self.import_template_name, context)

    # -- export --

    def export_action(self, request: HttpRequest) -> HttpResponse:
        try:
            answer: HttpResponse = super().export_action(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse("admin:accounts_account_changelist"))
        if isinstance(answer, TemplateResponse) and answer.context_data is not None:
            count = self.get_export_queryset(request).count()
            columns = AccountResource.Meta.fields
            answer.context_data.update(title=_("Export accounts"), count=count, columns=columns)
        return answer

    def get_export_filename(self, request: HttpRequest, queryset: QuerySet[Account], file_format: Any) -> str:
        return f"accounts-{timezone.localdate().isoformat()}.{file_format.get_extension()}"

    @admin.action(permissions=["export"], description=_("Export selected accounts (XLSX)"))
    def export_selected(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse:
        answer: HttpResponse = self._do_file_export(XLSX(), request, queryset)
        return answer


def _stored_name(form: Any) -> str | None:
    file = getattr(form, "cleaned_data", {}).get("import_file")
    return getattr(file, "tmp_storage_name", None)


def _told(result: ImportResult | None) -> dict[str, Any]:
    """What a page tells of an import, or of the preview of one."""
    if result is None:
        return {}
    report = result.report
    if report is None:
        return {"refusals": _refusals(result), "confirm_form": None}
    return {"report": report, "sections": list(sections(report)), "to_do": report.created + report.updated}


def _refusals(result: ImportResult) -> list[ImportRefused]:
    """Why the file was refused as a whole; the library also catches what is our fault, which goes on from here."""
    errors = [problem.error for problem in result.base_errors]
    for error in errors:
        if not isinstance(error, ImportRefused):
            raise error
    return errors


def _log(report: ImportReport, request: HttpRequest) -> None:
    """Who imported what, in the history of each account: names of columns, never a value."""
    content_type = ContentType.objects.get_for_model(Account)
    flags = {Action.CREATED: ADDITION, Action.UPDATED: CHANGE}
    entries = []
    for outcome in report.outcomes:
        if outcome.action in flags and outcome.account is not None:
            fields = {"fields": [change.column for change in outcome.changes]}
            what = {"added": {}} if outcome.action == Action.CREATED else {"changed": fields}
            entries.append(
                LogEntry(
                    user=person(request),
                    content_type=content_type,
                    object_id=str(outcome.account.pk),
                    object_repr=str(outcome.account)[:200],
                    action_flag=flags[outcome.action],
                    change_message=json.dumps([what]),
                )
            )
    LogEntry.objects.bulk_create(entries)
