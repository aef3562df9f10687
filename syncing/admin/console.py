"""Leads from the admin's forms back to the console."""

from typing import Any

from django.contrib.admin.options import IS_POPUP_VAR
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts.admin.readonly import AnyModelAdmin
from syncing.presentation.navigation import page_above


class InConsole(AnyModelAdmin):
    """Goes on to the page above the form, not to the admin's list, after saving and deleting."""

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
