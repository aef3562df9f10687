"""Answers odd values in the addresses and forms of the admin's lists, on which Django would fail."""

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from accounts.kommo.texts import storable, storable_id
from accounts.text_search import LONGEST

if TYPE_CHECKING:  # generic for the type checker only
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyChoices = forms.ModelMultipleChoiceField[Any]
else:
    AnyModelAdmin = admin.ModelAdmin
    AnyChoices = forms.ModelMultipleChoiceField


class StorableChoices(AnyChoices):
    """Takes for a choice only what a database can look for: SQLite fails at larger numbers."""

    def clean(self, value: Any) -> Any:
        for key in value or ():
            if storable_id(str(key)) is None:
                raise ValidationError(self.error_messages["invalid_choice"], "invalid_choice", {"value": key})
        return super().clean(value)


class TakesOddValues(AnyModelAdmin):
    """Leaves out of a list what no database can look for, and says so; does nothing with rows that are none."""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        return super().get_search_results(request, queryset, search_term[:LONGEST])

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if any(storable_id(key) is None for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            messages.error(request, _("Nothing was done: what was chosen is not in this list. Choose again."))
            return HttpResponseRedirect(request.path)
        try:
            return super().changelist_view(request, extra_context)
        except OverflowError:  # of SQLite, where other databases find nothing
            if request.method != "GET":
                raise
        query = storable(unquote_plus(request.META.get("QUERY_STRING", "")))[:LONGEST]
        messages.warning(request, _("A number in the address is too large, so this was left out: %s") % query)
        return HttpResponseRedirect(request.path)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        try:
            return super().get_object(request, object_id, from_field)
        except OverflowError:  # of SQLite, where other databases find nothing
            return None

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, **{"form_class": StorableChoices, **kwargs})
