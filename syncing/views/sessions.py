"""Lists who is logged in, and ends sessions: one's own, and for administrators everybody's."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.pages import actor_of, page, person, refusals_shown
from syncing.presentation.browsers import browser_of
from syncing.selectors.sessions import SessionListFilters, found_sessions, name_of, open_sessions
from syncing.services.sessions import OF_OTHERS, end_other_sessions, end_session

SESSIONS_PER_PAGE = 50


@require_safe
@never_cache
def sessions(request: HttpRequest) -> HttpResponse:
    """Lists one's own sessions, or those of everybody for who may change people."""
    of_everybody, filters = request.user.has_perm(OF_OTHERS), SessionListFilters.of(request.GET)
    found = open_sessions(None if of_everybody else person(request)).values()
    rows = [{"session": each, "browser": browser_of(each.agent)} for each in found_sessions(found, filters)]
    context = {
        "title": _("Sessions"),
        "rows": Paginator(rows, SESSIONS_PER_PAGE).get_page(request.GET.get("p")),
        "of_everybody": of_everybody,
        "here": name_of(request.session.session_key or ""),
        "has_others": sum(each.user.pk == request.user.pk for each in found) > 1,
        "filters": filters,
    }
    return page(request, "console/sessions.html", context)


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """Ends the session whose `name` is in the form."""
    with refusals_shown(request):
        ended = end_session(request.POST.get("name", ""), by=actor_of(request))
        messages.success(request, _("A session of %(user)s was ended.") % {"user": ended.user.get_username()})
    return HttpResponseRedirect(reverse("syncing:sessions"))


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    """Ends all sessions of the person who asks but this one."""
    number = end_other_sessions(request.session.session_key or "", by=actor_of(request))
    text = ngettext("%(n)d other session was ended.", "%(n)d other sessions were ended.", number)
    messages.success(request, text % {"n": number})
    return HttpResponseRedirect(reverse("syncing:sessions"))
