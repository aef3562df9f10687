"""Helpers of pages: the frame of the admin, parts that renew themselves, and pages that two doors show."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response, set_response_etag
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from accounts import conf
from accounts.actors import ADMIN, Actor
from accounts.forms import ExportForm
from accounts.models import Account, Integration
from accounts.refusals import Refusal
from accounts.services.exporting import COLUMNS, FileFormat, export_rows
from accounts.services.tables.formulas import BOM, csv_line


def person(request: HttpRequest) -> User:
    """Returns the user who is logged in; the admin let in nobody else."""
    return cast(User, request.user)


def actor_of(request: HttpRequest) -> Actor:
    """Returns the user who is logged in as the one who asks."""
    return Actor.of_user(person(request), ADMIN)


@contextmanager
def refusals_shown(request: HttpRequest, about: str = "") -> Iterator[None]:
    """Shows what is refused inside as a message (`about`: of which of several things), and goes on behind."""
    try:
        yield
    except Refusal as error:
        messages.error(request, f"{about}: {error}" if about else str(error))


def back_to_list(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """Returns to the list, as it was filtered, that a form was on: to its `back`, if that is an address of ours."""
    back = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return HttpResponseRedirect(back if is_ours else otherwise)


def page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Renders `template` inside the frame of the admin; `context` needs a title."""
    request.current_app = admin.site.name
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


def live_parts(request: HttpRequest, parts: dict[str, tuple[str, dict[str, Any]]], *, is_open: bool) -> HttpResponse:
    """Renders the elements to renew, by their id: (template, context) each; the page asks again while `is_open`.

    A page that has the same already is answered 304. Tokens of forms would make every answer another one: the page
    puts its own in their place.
    """
    html = {
        name: render_to_string(template, context | {"csrf_token": "-"}, request)
        for name, (template, context) in parts.items()
    }
    response = JsonResponse({"open": is_open, "parts": html})
    response["Cache-Control"] = "no-store"
    set_response_etag(response)
    return get_conditional_response(request, etag=response["ETag"], response=response) or response


def invite_many_page(request: HttpRequest, accounts: list[Account], *, named: bool) -> HttpResponse:
    """Shows the page that makes many links and asks how; `named`: these were chosen, not only known to need a link."""
    integrations = list(Integration.objects.exclude(client_secret=""))
    public = [each for each in integrations if each.is_public]
    context = {
        "title": _("Invite links"),
        "accounts": accounts,
        "ids": ",".join(str(each.pk) for each in accounts) if named else "",
        "without_integration": [each for each in accounts if each.integration_id is None],
        "without_email": [each for each in accounts if not each.contact_email],
        "integrations": integrations,
        "default": public[0] if len(public) == 1 else None,
        "sends_mail": conf.sends_mail(),
    }
    return page(request, "accounts/invite_many.html", context)


def export_page(request: HttpRequest, accounts: QuerySet[Account]) -> HttpResponse:
    """Says how many accounts these are and asks for the format of their file (GET); sends it (POST)."""
    form = ExportForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        return export_file(accounts, form.cleaned_data["format"])
    context = {"title": _("Export accounts"), "form": form, "count": accounts.count(), "columns": COLUMNS}
    return page(request, "accounts/export_accounts.html", context)


def csv_response(name: str, head: Iterable[str], rows: Iterable[Iterable[Any]]) -> StreamingHttpResponse:
    """Returns a CSV file, written while it is sent, however many rows it has."""
    lines = chain([BOM], map(csv_line, chain([head], rows)))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def export_file(accounts: QuerySet[Account], format: FileFormat) -> HttpResponse:
    """Returns the accounts as a file, without their secrets."""
    answer = HttpResponse(format.write(export_rows(accounts)), content_type=format.content_type)
    name = f"accounts-{timezone.localdate().isoformat()}.{format.extension}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
