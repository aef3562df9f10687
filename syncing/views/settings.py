"""The settings: where groups, people, keys and integrations are changed, and all tables for administrators."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import SyncGroup
from accounts.pages import page


@require_safe
def settings(request: HttpRequest) -> HttpResponse:
    context = {"title": _("Settings"), "groups": SyncGroup.objects.all()}
    return page(request, "console/settings.html", context)


@require_safe
def data(request: HttpRequest) -> HttpResponse:
    """Lists all tables that the person may see, as the admin does."""
    context = {"title": _("Data"), "app_list": admin.site.get_app_list(request)}
    return page(request, "console/data.html", context)
