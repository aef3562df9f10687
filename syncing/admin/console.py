"""What the admin's forms do in the console: lead back to it, tell refusals, and overwrite nobody's changes."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.options import IS_POPUP_VAR
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts.admin.odd_values import TakesOddValues
from accounts.other_changes import KeepsOtherChanges
from accounts.refusals import Refusal
from syncing.presentation.navigation import page_above

if TYPE_CHECKING:  # a part of a form, for the type checker only
    AnyForm = forms.Form
else:
    AnyForm = object


class TellsRefusal(AnyForm):
    """Part of a form that tells why it could not be saved when that was tried before; comes before the form itself."""

    refused = ""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.refused:
            self.add_error(None, self.refused)
        return cleaned


class InConsole(TakesOddValues):
    """Goes on to the page above the form, not to the admin's list, after saving and deleting."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        parts: tuple[type, ...] = (TellsRefusal,)
        if obj is not None and self.has_change_permission(request, obj):
            parts = (TellsRefusal, KeepsOtherChanges)
        facts = {"refused": getattr(request, "kommosync_refused", "")}
        return type(form)(form.__name__, (*parts, form), facts)

    def changeform_view(self, request: HttpRequest, *where: Any, **more: Any) -> Any:
        """Shows a form again that could not be saved, with the reason.

        After an IntegrityError the second look finds what somebody has stored meanwhile, by a second click perhaps.
        """
        try:
            return super().changeform_view(request, *where, **more)
        except IntegrityError:
            pass
        except Refusal as refusal:
            request.kommosync_refused = str(refusal)  # type: ignore[attr-defined]
        return super().changeform_view(request, *where, **more)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offers last what nobody can take back, where Django has it first."""
        actions: dict[str, Any] = super().get_actions(request)
        return dict(sorted(actions.items(), key=lambda item: item[0] == "delete_selected"))

    def page_after(self, obj: Any) -> str:
        """Returns where one goes on when `obj` was saved."""
        return page_above(self.opts)

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.page_after(obj))

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.page_after(obj))

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: Any) -> HttpResponse:
        response = super().response_delete(request, obj_display, obj_id)
        return response if IS_POPUP_VAR in request.POST else HttpResponseRedirect(page_above(self.opts))
