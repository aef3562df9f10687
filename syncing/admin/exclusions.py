"""What an account is not to be given: rows on its own page, for those who may change it."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Account
from syncing.engine.match import normal_name
from syncing.models import Exclusion

if TYPE_CHECKING:  # generic for the type checker only
    Formset = BaseInlineFormSet[Exclusion, Account, Any]
    Inline = admin.TabularInline[Exclusion, Account]
else:
    Formset = BaseInlineFormSet
    Inline = admin.TabularInline

CHANGE = "accounts.change_account"


class ExclusionFormset(Formset):
    def clean(self) -> None:
        """The same twice is refused; names are compared as runs compare them."""
        super().clean()
        seen = set()
        for form in self.forms:
            row = form.cleaned_data if form.is_valid() else {}
            if not row.get("kind") or row.get("DELETE"):
                continue
            what = (row["kind"], normal_name(row["name"]))
            if what in seen:
                raise ValidationError(
                    _("%(what)s is excluded twice: delete one of the two lines.")
                    % {"what": str(Exclusion(kind=row["kind"], name=row["name"]))}
                )
            seen.add(what)


class ExclusionInline(Inline):
    model = Exclusion
    formset = ExclusionFormset
    fields = ("kind", "name")
    extra = 1
    verbose_name_plural = gettext_lazy("left out: what this account is not given by runs, nor anything inside it")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE) or request.user.has_perm("accounts.view_account")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE)
