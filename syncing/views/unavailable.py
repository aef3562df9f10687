"""The answer when a request ended in an error: 503 and when to ask again while the database does not serve."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import defaults

from accounts.database import Trouble, trouble_of
from syncing import conf
from syncing.error_boundary import INTERNAL_REMEDY

FOR_MACHINES = ("/api/", "/healthz", "/readyz", "/oauth/disabled")


def server_error(request: HttpRequest) -> HttpResponse:
    """Called by Django while the error of the request is being handled, whichever layer it came from."""
    trouble = trouble_of(sys.exc_info()[1])
    response = _answer(request, trouble)
    if trouble is not None:
        response["Retry-After"] = str(conf.RETRY_AFTER)
    response["Cache-Control"] = "no-store"
    return response


def _answer(request: HttpRequest, trouble: Trouble | None) -> HttpResponse:
    if request.path.startswith(FOR_MACHINES):
        if trouble is None:
            error = {"code": "internal", "message": "This request ended in an error.", "remedy": INTERNAL_REMEDY}
            return JsonResponse({"error": error}, status=500)
        error = {"code": trouble.code, "message": trouble.message, "remedy": trouble.remedy}
        return JsonResponse({"error": error}, status=503)
    if trouble is None:
        return defaults.server_error(request)
    shown = {"message": _(trouble.message), "remedy": _(trouble.remedy)}
    return render(None, "503.html", shown, status=503)  # without the request: whose it is, the database knows
