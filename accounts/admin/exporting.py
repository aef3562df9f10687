"""The export of accounts: the list as it is filtered, or the accounts that were selected in it."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from accounts.pages import export_file, export_page
from accounts.services.exporting import XLSX

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
        return export_page(request, changelist.queryset)

    @admin.action(permissions=["export"], description=_("Export selected accounts (XLSX)"))
    def export_selected(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse:
        return export_file(queryset, XLSX)
