"""What the admin's forms do in the console: lead back to it, and overwrite nothing that somebody else changed."""

from typing import Any

from django.contrib.admin.options import IS_POPUP_VAR
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts.admin.readonly import AnyModelAdmin
from accounts.other_changes import KeepsOtherChanges
from syncing.presentation.navigation import page_above


class InConsole(AnyModelAdmin):
    """Goes on to the page above the form, not to the admin's list, after saving and deleting."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        if obj is None or not self.has_change_permission(request, obj):
            return form
        return type(form)(form.__name__, (KeepsOtherChanges, form), {})

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
