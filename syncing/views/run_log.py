"""Shows the log of a run, object by object, and gives it as a file; both by the same filters."""

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.pages import csv_response, page
from syncing.models import LogEntry, SavedList
from syncing.presentation.labels import ACTIONS, KINDS
from syncing.selectors.run_log import HEAD, RunLogFilters, found_entries, log_rows
from syncing.views.lookup import run_or_404
from syncing.views.saved_views import list_views

ENTRIES_PER_PAGE = 200
may_look = permission_required(("syncing.view_syncrun", "syncing.view_logentry"), raise_exception=True)


@may_look
@require_safe
def run_log(request: HttpRequest, run_id: int) -> HttpResponse:
    run, filters = run_or_404(run_id), RunLogFilters.of(request.GET)
    saved = list_views(request, SavedList.RUN_LOG, filters)
    if saved.opens:
        return HttpResponseRedirect(saved.opens)
    context = {
        "title": _("Log of run %(number)d") % {"number": run.pk},
        "run": run,
        "saved": saved,
        "filters": filters,
        "entries": Paginator(found_entries(run, filters), ENTRIES_PER_PAGE).get_page(request.GET.get("p")),
        "accounts": run.account_runs.order_by("account__subdomain").values_list("account__subdomain", "account__name"),
        "levels": LogEntry.Level.choices,
        "actions": ACTIONS.items(),
        "kinds": KINDS.items(),
    }
    return page(request, "console/run_log.html", context)


@may_look
@require_safe
def run_log_csv(request: HttpRequest, run_id: int) -> StreamingHttpResponse:
    """Exports the entries that the filters of the page find, however many they are."""
    run = run_or_404(run_id)
    rows = log_rows(found_entries(run, RunLogFilters.of(request.GET)))
    return csv_response(f"kommosync-run-{run.pk}-log.csv", HEAD, rows)
