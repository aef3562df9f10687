"""Pages that connect an account at Kommo: one asks, one takes the answer of the consent page, one says how it ended."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import Account
from accounts.own_words import translated
from accounts.pages import actor_of, page
from accounts.services.connecting import attempts, consent, invites
from accounts.services.connecting.attempts import CannotConnect, StartedAttempt

View = Callable[..., HttpResponse]

STATES = "connect_states"
CONNECTED = "connected_account"
MOST_STATES = 10
STATUS = {
    **dict.fromkeys(("foreign_state", "foreign_host", "wrong_account"), 403),
    **dict.fromkeys(("invite_gone", "invite_used", "invite_expired"), 410),
    "bad_invite": 404,
}


def failures_shown(view: View) -> View:
    """Shows the page of a failed connection where the view, or a service that it asks, refuses to connect.

    It says what happened, to which account, and the way on: for an operator, or for somebody with an invite link.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except CannotConnect as problem:
            again = ""
            if problem.invite is not None and problem.code not in ("invite_used", "invite_gone"):
                again = invites.link(problem.invite)
            elif problem.account is not None and problem.invite is None:
                again = reverse("accounts:connect", args=[problem.account.pk])
            title = _("Used already") if problem.code == "invite_used" else _("Not connected")
            context = {"title": title, "problem": problem, "again": again}
            response = render(request, "accounts/connect_failed.html", context, status=STATUS.get(problem.code, 400))
            response["Referrer-Policy"] = "no-referrer"
            return response

    return guarded


@permission_required("accounts.connect_account", raise_exception=True)
@require_http_methods(["GET", "POST"])
@never_cache
@failures_shown
def connect(request: HttpRequest, account_id: int) -> HttpResponse:
    """Says on GET what will happen, and begins it on POST."""
    account = get_object_or_404(invites.for_page(Account.objects.all()), pk=account_id)
    if request.method == "POST":
        return to_kommo(request, attempts.begin(account, by=actor_of(request)))
    problem, elsewhere = attempts.obstacle(account, account.integration), ""
    if account.integration is not None:
        host = urlsplit(account.integration.redirect_uri).netloc
        elsewhere = host if host != request.get_host() else ""
    title = _("Connect %(account)s") % {"account": account}
    context = {"title": title, "account": account, "problem": problem, "elsewhere": elsewhere}
    return page(request, "accounts/connect.html", context)


def to_kommo(request: HttpRequest, started: StartedAttempt) -> HttpResponse:
    """Shows a page that leads on to Kommo. Not a redirect: our own policy lets no form end on another host."""
    response = render(request, "accounts/to_kommo.html", {"url": started.url, "title": _("Go to Kommo")})
    response["Referrer-Policy"] = "no-referrer"
    return response


def remember(request: HttpRequest, started: StartedAttempt) -> None:
    """Binds the state to this browser, for somebody who is not logged in."""
    known = [*request.session.get(STATES, []), started.state_hash]
    request.session[STATES] = known[-MOST_STATES:]


@require_GET  # a HEAD would use up the state
@never_cache
@failures_shown
def callback(request: HttpRequest) -> HttpResponse:
    """Takes the browser that Kommo sends back, with `code`, `state`, `referer`, or `error` (docs/kommo.md 1.2).

    Redirects to another page, so that reloading it asks for nothing again.
    """
    query = request.GET
    by = actor_of(request) if request.user.is_authenticated else None
    attempt = attempts.take(query.get("state", ""), by=by, known=request.session.get(STATES, []))
    if attempt.user_id and not request.user.has_perm("accounts.connect_account"):
        raise PermissionDenied
    if "error" in query or not query.get("code"):
        raise attempts.denied(attempt, query.get("error", ""))
    account = consent.finish(attempt, code=query["code"], referer=query.get("referer", ""))
    if attempt.invite_id:
        request.session[CONNECTED] = str(account)
        return HttpResponseRedirect(reverse("accounts:thanks"))
    if account.health == Account.Health.CONNECTED:
        messages.success(request, _("%(account)s is connected.") % {"account": account})
    else:
        facts = {
            "account": account,
            "health": account.get_health_display(),
            "reason": translated(account.health_reason),
        }
        messages.warning(request, _("%(account)s is connected, but: %(health)s. %(reason)s") % facts)
    return HttpResponseRedirect(reverse("admin:accounts_account_change", args=[account.pk]))
