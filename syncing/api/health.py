"""Tells load balancers and supervisors if the process is alive, and if it can work; no key needed."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from syncing import conf
from syncing.selectors.automation import automation_state, overdue
from syncing.selectors.status import problems

# What is overdue, for whoever has no key: without the names of groups.
WITHOUT_NAMES = {
    "workers": _("No worker is alive, so nothing happens by itself."),
    "watcher": _("A master has not been looked at for too long."),
    "schedule": _("A schedule was due and did not start."),
}


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Answers as long as the process lives."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Answers 503 with the problems while it cannot work, else 200; with what is overdue, which is no reason for 503.

    A load balancer would take the web server away, and with it the pages on which a person sees what is wrong. A
    monitor asks with ?automation=1: then whatever is overdue is a reason, too.
    """
    current = problems()
    late = [] if current else overdue(automation_state())
    is_asked = request.GET.get("automation") == "1"
    unnamed = [{"code": each.code, "since": each.since, "message": str(WITHOUT_NAMES[each.code])} for each in late]
    body: dict[str, Any] = {"overdue": unnamed} if late else {}
    if current or (is_asked and late):
        status = "not ready" if current else "overdue"
        response = JsonResponse({**body, "status": status, "problems": current}, status=503)
        response["Retry-After"] = str(conf.RETRY_AFTER)
        response._has_been_logged = True  # type: ignore[attr-defined]  # it is asked every few seconds; the cause is in the log already
        return response
    return JsonResponse({**body, "status": "ok"})
