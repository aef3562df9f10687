"""The import of accounts: upload a file, see what it would do, confirm it, see what it did."""

import json
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.decorators import permission_required
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts import badges
from accounts.forms import ConfirmImportForm, ImportForm, group_name
from accounts.models import Account
from accounts.pages import page, person, refusals_shown
from accounts.refusals import Refusal
from accounts.services.importing import (
    ImportReport,
    LineAction,
    LineOutcome,
    import_table,
)
from accounts.services.tables.table import COLUMNS, read_table
from accounts.uploads import UPLOAD_VIEW, forget_upload, read_upload, store_upload, upload_gone

UPLOAD = "accounts_import"  # in the session: the name of the stored file that this person is looking at
SHOWN = 500  # lines of each kind on a page
KINDS = {  # of lines, in the order of the page
    LineAction.REFUSED: (_("Left out"), badges.BAD),
    LineAction.CREATED: (_("New"), badges.OK),
    LineAction.UPDATED: (_("Changed"), badges.INFO),
    LineAction.UNCHANGED: (_("Unchanged"), badges.IDLE),
}
may_import = permission_required("accounts.import_account", raise_exception=True)


@may_import
def upload_view(request: HttpRequest) -> HttpResponse:
    """Asks for a file; shows what it would do and asks to confirm it. Only the file is stored, encrypted.

    A file that this person looked at before is deleted.
    """
    forget_upload(request.session.pop(UPLOAD, ""))
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if form.is_valid():
        report, confirm_form = form.report, None
        if report.created or report.updated:
            file = form.cleaned_data["import_file"]
            file.seek(0)
            name = request.session[UPLOAD] = store_upload(file.read())
            confirm_form = ConfirmImportForm(initial={"import_file_name": name, "group": form.cleaned_data["group"]})
        return _report_page(request, report, title=_("Import accounts"), confirm_form=confirm_form)
    context = {"title": _("Import accounts"), "form": form, "columns": COLUMNS}
    return page(request, "accounts/import_accounts.html", context)


@may_import
def confirm_view(request: HttpRequest) -> HttpResponse:
    """Imports the file that this person looked at, once, and shows what became of every line."""
    name = request.session.pop(UPLOAD, "")
    form = ConfirmImportForm(request.POST)
    try:
        with refusals_shown(request):
            if not name or request.POST.get("import_file_name") != name:
                raise upload_gone()
            if not form.is_valid():
                raise Refusal("group_gone", str(_("The chosen group was deleted meanwhile; choose the file again.")))
            report = import_table(read_table(read_upload(name)), group_name(form))
            _log(report, request)
            return _report_page(request, report, title=_("Accounts imported"), is_done=True)
    finally:
        forget_upload(name)
    return redirect(UPLOAD_VIEW)


@dataclass(frozen=True)
class Section:
    """The lines of one kind, as many as a page holds."""

    action: LineAction
    title: Any
    tone: str
    count: int
    outcomes: list[LineOutcome]

    @property
    def more(self) -> int:
        return self.count - len(self.outcomes)


def _report_page(request: HttpRequest, report: ImportReport, **context: Any) -> HttpResponse:
    """Returns the page of a preview, or with `is_done` of an import."""
    sections = []
    for action, (title, tone) in KINDS.items():
        outcomes = [outcome for outcome in report.outcomes if outcome.action == action]
        if outcomes:
            sections.append(Section(action, title, tone, len(outcomes), outcomes[:SHOWN]))
    context |= {"report": report, "sections": sections, "to_do": report.created + report.updated}
    return page(request, "accounts/import_report.html", context)


def _log(report: ImportReport, request: HttpRequest) -> None:
    """Writes who imported what into the history of each account: names of columns, never a value."""
    content_type = ContentType.objects.get_for_model(Account)
    entries = []
    for outcome in report.outcomes:
        if outcome.account is None or outcome.action not in (LineAction.CREATED, LineAction.UPDATED):
            continue
        is_new = outcome.action == LineAction.CREATED
        changed = {"changed": {"fields": [change.column for change in outcome.changes]}}
        entries.append(
            LogEntry(
                user=person(request),
                content_type=content_type,
                object_id=str(outcome.account.pk),
                object_repr=str(outcome.account)[:200],
                action_flag=ADDITION if is_new else CHANGE,
                change_message=json.dumps([{"added": {}} if is_new else changed]),
            )
        )
    LogEntry.objects.bulk_create(entries)
