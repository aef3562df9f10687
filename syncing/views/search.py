"""The search of the header: accounts, runs and items on one page."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.pages import page
from syncing.presentation.links import searched
from syncing.selectors.search import MOST, find


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    text = searched(request)
    findings = find(text, request.user.has_perm)
    context = {"title": _("Search"), "search_text": text, "found": findings, "most": MOST}
    return page(request, "console/search.html", context)
