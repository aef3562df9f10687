"""Answers when a request ended in an error: 503 and when to ask again while no database serves, 500, 400, 403."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import REASON_BAD_ORIGIN, REASON_NO_CSRF_COOKIE
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import defaults

from accounts.database import trouble_of
from syncing import conf
from syncing.error_boundary import INTERNAL_REMEDY
from syncing.presentation.problems import PROBLEM_TYPE, problem_document

FOR_MACHINES = ("/api/", "/healthz", "/readyz", "/metrics", "/oauth/disabled")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answers 500 or 503; Django calls it while the error is being handled, whichever layer it came from."""
    trouble = trouble_of(sys.exc_info()[1])
    for_machine = request.path.startswith(FOR_MACHINES)
    response: HttpResponse
    if trouble is None and for_machine:
        error = {"code": "internal", "message": "This request ended in an error.", "remedy": INTERNAL_REMEDY}
        response = _for_machine(request, error, status=500)
    elif trouble is None:
        response = defaults.server_error(request)
    elif for_machine:
        error = {"code": trouble.code, "message": trouble.message, "remedy": trouble.remedy}
        response = _for_machine(request, error, status=503)
    else:
        context = {"message": _(trouble.message), "remedy": _(trouble.remedy)}
        # Without the request: with it, the page would ask the database for the user.
        response = render(None, "503.html", context, status=503)
    if trouble is not None:
        response["Retry-After"] = str(conf.RETRY_AFTER)
    response["Cache-Control"] = "no-store"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answers 400 to what Django finds suspicious, such as a host name that is not ours."""
    if not request.path.startswith("/api/"):
        return defaults.bad_request(request, exception)
    remedy = "Ask by a host name that is in ALLOWED_HOSTS."
    error = {"code": "bad_request", "message": "This request is not one for here.", "remedy": remedy}
    return _for_machine(request, error, status=400)


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answers 403 to a form without a valid token, as Django says in `reason`, and names the likely cause."""
    is_foreign = reason.startswith(REASON_BAD_ORIGIN.partition("%s")[0])
    context = {
        "no_cookie": reason == REASON_NO_CSRF_COOKIE,
        "origin": request.headers.get("Origin", "") if is_foreign else "",
    }
    return render(request, "403_csrf.html", context, status=403)


def _for_machine(request: HttpRequest, error: dict[str, str], *, status: int) -> JsonResponse:
    """Returns the error as JSON, to a client of the API as a problem document."""
    if request.path.startswith("/api/"):
        return JsonResponse(problem_document(status, error), status=status, content_type=PROBLEM_TYPE)
    return JsonResponse({"error": error}, status=status)
