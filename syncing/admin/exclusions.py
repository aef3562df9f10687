"""Edits the exclusions of an account on its own page, for those who may change it."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from accounts.models import Account
from syncing.models import Exclusion

if TYPE_CHECKING:  # generic for the type checker only
    Inline = admin.StackedInline[Exclusion, Account]
else:
    Inline = admin.StackedInline

CHANGE = "accounts.change_account"


class ExclusionInline(Inline):
    model = Exclusion
    fields = ("kind", "name")
    extra = 1
    classes = ("collapse",)  # most are chosen in the drawing of the master, which the page leads to
    verbose_name_plural = gettext_lazy(
        "left out of syncs by name: also all items of a kind, or items that the master does not have yet"
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE) or request.user.has_perm("accounts.view_account")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE)
