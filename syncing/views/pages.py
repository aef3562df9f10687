"""What all pages have in common: the frame of the admin, and parts that renew themselves."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from syncing.services.runs import CannotStart, Started


def person(request: HttpRequest) -> User:
    """Who is logged in; the door of the admin let in nobody else."""
    return cast(User, request.user)


def page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """`template` inside the frame of the admin; `context` needs a title."""
    request.current_app = admin.site.name
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


def live_parts(request: HttpRequest, parts: dict[str, tuple[str, dict[str, Any]]], *, is_open: bool) -> JsonResponse:
    """Elements to renew, by their id: (template, context) each; the page asks again soon while `is_open`."""
    html = {name: render_to_string(template, context, request) for name, (template, context) in parts.items()}
    response = JsonResponse({"open": is_open, "parts": html})
    response["Cache-Control"] = "no-store"
    return response


def refusal(error: CannotStart) -> str:
    return f"{error.message} {error.remedy}".strip()


def to_run(request: HttpRequest, started: Started) -> HttpResponseRedirect:
    """To the page of the run that was started or joined, with a word about it."""
    if started.joined:
        messages.info(request, _("A run like this was waiting already; this is it."))
    else:
        messages.success(request, _("Run %(number)s is queued.") % {"number": started.run.pk})
    return HttpResponseRedirect(run_url(started.run.pk))


def run_url(run_id: int) -> str:
    return reverse("admin:syncing_syncrun_change", args=[run_id])
