"""The settings: where groups, people, keys and integrations are changed, and all tables for administrators."""

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import SyncGroup
from accounts.pages import page
from syncing.presentation.navigation import SEES_DATA
from syncing.selectors import settings as selectors


@require_safe
def settings(request: HttpRequest) -> HttpResponse:
    context = {"title": _("Settings"), "groups": SyncGroup.objects.all()}
    return page(request, "console/settings.html", context)


@permission_required("auth.view_user", raise_exception=True)
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Lists who may log in, and what each may do."""
    context = {"title": _("People"), "people": selectors.people(), "roles": selectors.roles()}
    return page(request, "console/people.html", context)


@permission_required("syncing.view_apikey", raise_exception=True)
@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    return page(request, "console/keys.html", {"title": _("API keys"), "keys": selectors.keys()})


@permission_required("accounts.view_integration", raise_exception=True)
@require_safe
def integrations(request: HttpRequest) -> HttpResponse:
    context = {"title": _("Integrations"), "integrations": selectors.integrations()}
    return page(request, "console/integrations.html", context)


@permission_required(SEES_DATA, raise_exception=True)
@require_safe
def data(request: HttpRequest) -> HttpResponse:
    """Lists all tables that the person may see, as the admin does."""
    context = {"title": _("Data"), "app_list": admin.site.get_app_list(request)}
    return page(request, "console/data.html", context)
