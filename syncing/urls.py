"""The URLs of the synchronisation: the dashboard, what can be done with runs, the REST API, the webhook."""

from collections.abc import Callable

from django.contrib import admin
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path

from syncing import webhooks
from syncing.api import endpoints, health
from syncing.views import dashboard, runs, start, tokens

app_name = "syncing"


def staff(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
    """A page of the admin: behind its login."""
    return path(route, admin.site.admin_view(view), name=name)


urlpatterns: list[URLPattern] = [
    staff("", dashboard.dashboard, "dashboard"),
    staff("dashboard/live", dashboard.dashboard_live, "dashboard_live"),
    staff("groups/<int:group_id>/start/<str:mode>", start.start, "start"),
    staff("groups/<int:group_id>/webhook", tokens.webhook_token, "webhook_token"),
    staff("runs/<int:run_id>/live", runs.run_live, "run_live"),
    staff("runs/<int:run_id>/document.json", runs.run_json, "run_json"),
    staff("runs/<int:run_id>/cancel", runs.cancel, "cancel"),
    staff("runs/<int:run_id>/retry", runs.retry, "retry"),
    staff("runs/<int:run_id>/force", runs.force, "force"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("api/sync/trigger", endpoints.trigger, name="api_trigger"),
    path("api/sync/status", endpoints.status, name="api_status"),
    path("api/sync/runs/<int:run_id>", endpoints.run, name="api_run"),
    path("api/sync/webhook/<str:token>", webhooks.webhook, name="webhook"),
    path("api/accounts/<str:subdomain>/ids", endpoints.ids, name="api_ids"),
    re_path("^api/", endpoints.unknown, name="api_unknown"),
]
