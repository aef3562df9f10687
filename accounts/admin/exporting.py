"""The export of accounts: the list as it is filtered, or the accounts that were selected in it."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.forms import ExportForm
from accounts.models import Account
from accounts.pages import page
from accounts.services.exporting import COLUMNS, XLSX, FileFormat, export_rows

if TYPE_CHECKING:  # generic for the type checker only
    AccountModelAdmin = admin.ModelAdmin[Account]
else:
    AccountModelAdmin = admin.ModelAdmin


class AccountExportAdmin(AccountModelAdmin):
    """Exports accounts; whoever does must be allowed to see them too."""

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.export_account") and self.has_view_permission(request)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for the format; sends the file."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            changelist = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect("admin:accounts_account_changelist")
        form = ExportForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            return _file(changelist.queryset, form.cleaned_data["format"])
        context = {"title": _("Export accounts"), "form": form, "count": changelist.result_count, "columns": COLUMNS}
        return page(request, "accounts/export_accounts.html", context)

    @admin.action(permissions=["export"], description=_("Export selected accounts (XLSX)"))
    def export_selected(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse:
        return _file(queryset, XLSX)


def _file(accounts: QuerySet[Account], format: FileFormat) -> HttpResponse:
    answer = HttpResponse(format.write(export_rows(accounts)), content_type=format.content_type)
    name = f"accounts-{timezone.localdate().isoformat()}.{format.extension}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
