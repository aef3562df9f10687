"""Answers when a request ended in an error: 503 and when to ask again while the database does not serve."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import defaults

from accounts.database import trouble_of
from syncing import conf
from syncing.error_boundary import INTERNAL_REMEDY

FOR_MACHINES = ("/api/", "/healthz", "/readyz", "/oauth/disabled")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answers 500 or 503; Django calls it while the error is being handled, whichever layer it came from."""
    trouble = trouble_of(sys.exc_info()[1])
    for_machine = request.path.startswith(FOR_MACHINES)
    response: HttpResponse
    if trouble is None and for_machine:
        error = {"code": "internal", "message": "This request ended in an error.", "remedy": INTERNAL_REMEDY}
        response = JsonResponse({"error": error}, status=500)
    elif trouble is None:
        response = defaults.server_error(request)
    elif for_machine:
        error = {"code": trouble.code, "message": trouble.message, "remedy": trouble.remedy}
        response = JsonResponse({"error": error}, status=503)
    else:
        context = {"message": _(trouble.message), "remedy": _(trouble.remedy)}
        response = render(
            None, "503.html", context, status=503
        )  # with the request it would ask the database for the user
    if trouble is not None:
        response["Retry-After"] = str(conf.RETRY_AFTER)
    response["Cache-Control"] = "no-store"
    return response
