"""Tells load balancers and supervisors if the process is alive, and if it can work; no key needed."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from syncing import conf
from syncing.selectors.status import problems


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Answers as long as the process lives."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Answers 503 with the problems while it cannot work, else 200."""
    current = problems()
    if current:
        response = JsonResponse({"status": "not ready", "problems": current}, status=503)
        response["Retry-After"] = str(conf.RETRY_AFTER)
        response._has_been_logged = True  # type: ignore[attr-defined]  # it is asked every few seconds; the cause is in the log already
        return response
    return JsonResponse({"status": "ok"})
