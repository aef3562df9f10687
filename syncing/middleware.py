"""The middleware of every request: the policy for browsers, local health checks, limits of bodies, second factors,
the reader's time zone, and what a person sees whose form came too late or to the wrong address.
"""

from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from accounts.models import time_zones
from accounts.pages import person
from accounts.uploads import FilesRefused, NoFiles, may_upload
from syncing.api.health import healthz, readyz
from syncing.api.http import error_response, too_large
from syncing.api.metrics import is_local_scraper, metrics
from syncing.selectors.second_factor import is_proven, must_set_up
from syncing.views.logins import UNSENT
from syncing.views.unavailable import FOR_MACHINES
from syncing.web.bodies import ANONYMOUS_LIMIT, API, rule_for

POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)

ZONE_COOKIE = "kommosync_zone"
# All that somebody may do who still has to set up a second factor.
SETTING_UP = frozenset(
    {
        *("syncing:second_factor", "syncing:begin_second_factor", "syncing:set_up_second_factor"),
        *("syncing:login", "admin:logout"),
    }
)


class ContentSecurityPolicy:
    """Adds the policy to every answer that has none of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class LocalHealth:
    """Answers health checks and scrapers of this machine: they know neither the public host name nor HTTPS.

    Stands before what would redirect or refuse them. Others get no answer that way.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.views = {"/healthz": healthz, "/readyz": readyz}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == "/metrics" and is_local_scraper(request):
            return metrics(request)
        view = self.views.get(request.path_info)
        if view is None:
            return self.get_response(request)
        try:
            address = ip_address(request.META.get("REMOTE_ADDR", ""))
        except ValueError:  # none, as of a Unix socket
            return self.get_response(request)
        is_local = (getattr(address, "ipv4_mapped", None) or address).is_loopback
        return view(request) if is_local else self.get_response(request)


class ReadersZone:
    """Shows and reads times in the zone of the browser, which `zone.js` stores in a cookie; else in TIME_ZONE.

    Machines get the installation's.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        zone = request.COOKIES.get(ZONE_COOKIE, "")
        if zone not in time_zones() or request.path.startswith(FOR_MACHINES):
            return self.get_response(request)
        with timezone.override(ZoneInfo(zone)):
            return self.get_response(request)


class ProvenSessions:
    """Lets nobody be anybody in a session without the second factor that they have, or have to have (REQUIRE_2FA).

    The login lets no such session begin; this holds for every page, however the session came about.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.user = SimpleLazyObject(partial(_whoever_has_proven, request, request.user))  # type: ignore[assignment]
        return self.get_response(request)


def _whoever_has_proven(request: HttpRequest, user: User | AnonymousUser) -> User | AnonymousUser:
    if isinstance(user, AnonymousUser):
        return user
    if not is_proven(request.session, user):
        request.session.flush()
        return AnonymousUser()
    page = request.resolver_match.view_name if request.resolver_match else ""
    return AnonymousUser() if page not in SETTING_UP and must_set_up(user) else user


class FormsAfterTheEnd:
    """Tells whoever sends a form after their session has ended that it was not stored, and leads back to its page.

    The address of the form itself may be that of a button, which nobody can open.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        login = reverse("syncing:login")
        leads_to_login = response.status_code == 302 and urlsplit(response.headers["Location"]).path == login
        is_of_login = request.path.startswith(login)
        if request.method != "POST" or not leads_to_login or is_of_login or request.user.is_authenticated:
            return response
        query = {REDIRECT_FIELD_NAME: _page_before(request), UNSENT: "yes"}
        return HttpResponseRedirect(f"{login}?{urlencode(query)}")


def _page_before(request: HttpRequest) -> str:
    """Returns the path of the page that the request came from, if it is one of ours; else the overview's."""
    before = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(before, {request.get_host()}):
        return reverse("admin:index")
    parts = urlsplit(before)
    return parts._replace(scheme="", netloc="", fragment="").geturl() or "/"


class NoBlankPages:
    """Gives a page to who opens an address that is only for buttons; Django answers it without a word."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 405 or request.path.startswith(FOR_MACHINES):
            return response
        page = render(request, "405.html", status=405)
        page.headers["Allow"] = response.headers["Allow"]
        return page


class RequestBodies:
    """Refuses a body that is too large, and files that nobody asked for, before they are read.

    Stands before the CSRF check, which is the first to read a form; the person is known by then.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        rule = rule_for(request.path_info)
        if not rule.is_read:
            return None
        if rule.is_upload and request.method == "POST" and not may_upload(person(request)):
            if isinstance(request.user, AnonymousUser):
                return redirect_to_login(request.get_full_path(), reverse("admin:login"))
            raise PermissionDenied
        length = str(request.META.get("CONTENT_LENGTH") or "")
        size = int(length) if length.isdecimal() else 0
        limit = ANONYMOUS_LIMIT if size > ANONYMOUS_LIMIT and not request.user.is_authenticated else rule.limit
        if size > limit:
            if rule is API:
                return error_response(too_large())
            message = _("The request is larger than %(limit)s.") % {"limit": filesizeformat(limit)}
            return _page(request, message, status=413)
        if request.content_type == "multipart/form-data" and not rule.is_upload and rule is not API:
            return _refuse_files(request)
        return None


def _refuse_files(request: HttpRequest) -> HttpResponse | None:
    """Returns the refusal of a form with a file, None without one; reads it up to its first file."""
    request.upload_handlers = [NoFiles(request)]
    try:
        request.POST  # noqa: B018  (reading it is the point)
    except FilesRefused:
        return _page(request, _("Only the import of accounts accepts files."), status=400)
    return None


def _page(request: HttpRequest, message: str, *, status: int) -> HttpResponse:
    context = {"title": _("The request was refused"), "message": message}
    return render(request, "syncing/refused.html", context, status=status)
