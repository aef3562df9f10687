"""Shows a run live, cancels, retries or forces it, and exports its document."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.kommo.texts import storable
from accounts.models import RELATED_SECRETS
from accounts.pages import actor_of, live_parts, page, refusals_shown
from syncing.leases.processes import workers_alive
from syncing.models import AccountRun, AccountState, RunMode, RunState, SyncRun
from syncing.policy import may_delete
from syncing.presentation.links import run_url, searched, to_run
from syncing.selectors.attempts import attempts_of
from syncing.selectors.documents import run_document
from syncing.selectors.failures import NOT_GOOD
from syncing.selectors.grid import RunSearch, search_run
from syncing.selectors.rollback import can_be_rolled_back
from syncing.selectors.run_times import times_of
from syncing.selectors.runs import AccountRunFilters, RunProgress, account_runs_of, progress_of
from syncing.services.runs.retry import FORCE, force_again, is_forceable, is_retriable, refused_by_limits, retry_failed
from syncing.services.runs.start import cancel_run
from syncing.views.approvals import approval_context
from syncing.views.failures import account_run_actions, failure_context
from syncing.views.forms import reason_field
from syncing.views.lookup import run_or_404
from syncing.views.plans import account_run_context, grid_context
from syncing.views.start import may_start, require_start
from syncing.views.waves import wave_context

ACCOUNTS_PER_PAGE = 150
ACCOUNTS_AT_ONCE = 20  # good ones; all on demand
# The parts that change while a run is open, with their templates.
LIVE = {
    "ks-run": "_run.html",
    "ks-failures": "_run_outcome.html",
    "ks-facts": "_run_facts.html",
    "ks-waves": "_waves.html",
    "ks-parts": "_account_runs.html",
    "ks-course": "_run_course.html",
}
AT_THE_END = {"ks-actions": "_run_actions.html", "ks-downloads": "_run_downloads.html"}
RETRIED = {
    AccountState.PARTIAL,
    AccountState.FAILED,
    AccountState.REFUSED,
    AccountState.SKIPPED,
    AccountState.CANCELLED,
}


class ForceForm(forms.Form):
    reason = reason_field(gettext_lazy("Stored with the run."))


def run_context(request: HttpRequest, run: SyncRun, *, is_watched: bool) -> dict[str, Any]:
    """Returns everything the page of a run shows; `is_watched`: it was opened while the run was at work.

    Then nothing that the reader looks at moves: what comes stands after what was there, or in a room kept for it.
    """
    may = request.user.has_perm
    progress = progress_of([run])[run.pk]
    states = {entry.state for entry in progress.states}
    was_refused = run.state == RunState.REFUSED or AccountState.REFUSED in states
    query, can_start, waves = searched(request), may_start(request, run.mode), wave_context(request, run)
    search = search_run(run, query)
    return {
        "run": run,
        "is_watched": is_watched,
        "query": query,
        "found": search,
        "progress": progress,
        "log": run.log.filter(account_run=None)[:100],
        "times": times_of(run),
        "attempts": attempts_of(run),
        "may_cancel": run.is_open and may("syncing.cancel_sync"),
        "may_retry": can_start and not run.is_open and bool(states & RETRIED) and is_retriable(run),
        "stuck": run.state == RunState.QUEUED and run.queued_to_workers and not workers_alive(),
        "may_roll_back": may("syncing.roll_back") and can_be_rolled_back(run),
        "may_force": was_refused and can_start and may(FORCE) and is_forceable(run),
        **waves,
        **account_list_context(request, run, waves["wave"], search, None if is_watched else progress),
        **failure_context(request, run, is_watched=is_watched),
        **approval_context(request, run, states),
    }


def account_list_context(
    request: HttpRequest, run: SyncRun, wave: int | None, search: RunSearch | None, ended: RunProgress | None
) -> dict[str, Any]:
    """Returns the accounts of a run: those that the request asks for, else the bad ones and the first of the good.

    `ended`: the end of the run; None: it is watched, so the accounts keep their places.
    """
    filters = AccountRunFilters.of(request.GET)
    if filters.wave and wave is None:
        filters = filters.without("wave")
    rows = account_runs_of(run, filters.state, wave, filters.reason, worst_first=ended is not None)
    rows = rows if search is None else rows.filter(search.account_runs)
    is_narrowed = bool(filters.state or filters.reason or wave or search is not None)
    shows_all = is_narrowed or "all" in request.GET or "p" in request.GET
    bad = sum(entry.count for entry in ended.states if entry.state in NOT_GOOD) if ended else 0
    at_once = ACCOUNTS_PER_PAGE if shows_all else max(ACCOUNTS_AT_ONCE, min(bad, ACCOUNTS_PER_PAGE))
    listed = Paginator(rows, at_once).get_page(request.GET.get("p"))
    return {
        "filters": filters,
        "state": filters.state,
        "reason": filters.reason,
        "account_runs": listed,
        "is_narrowed": is_narrowed,
        "is_folded": not shows_all and listed.has_next(),
    }


@permission_required("syncing.view_syncrun", raise_exception=True)
@require_safe
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Shows a run, live while it is open."""
    run = run_or_404(run_id)
    context = {"title": str(run), "opts": SyncRun._meta, **run_context(request, run, is_watched=run.is_open)}
    context |= grid_context(request, run, context["progress"], context["found"])
    return page(request, "syncing/run.html", context)


@permission_required("syncing.view_accountrun", raise_exception=True)
@require_safe
def account_run(request: HttpRequest, account_run_id: int) -> HttpResponse:
    """Shows an account run: what was done, or is planned, item by item."""
    rows = AccountRun.objects.select_related("account", "run__group").defer(*RELATED_SECRETS)
    account_run = get_object_or_404(rows, pk=account_run_id)
    context = {
        "title": format_html("{}: {}", str(account_run.run), str(account_run.account)),
        "opts": AccountRun._meta,
        "actions": account_run_actions(request, account_run),
        "attempts": attempts_of(account_run.run, account_run.account_id),
        **account_run_context(request, account_run),
    }
    return page(request, "syncing/account_run.html", context)


@permission_required("syncing.view_syncrun", raise_exception=True)
@require_safe
def run_live(request: HttpRequest, run_id: int) -> HttpResponse:
    """Renders the parts of the page that change while the run is open."""
    run = run_or_404(run_id)
    context = run_context(request, run, is_watched=True)
    names = LIVE
    if not run.is_open:  # the last answer
        context |= grid_context(request, run, context["progress"], context["found"])
        names = LIVE | AT_THE_END | ({"ks-grid": "_grid.html"} if context["grid"] else {})
    elements = {element: (f"syncing/{name}", context) for element, name in names.items()}
    return live_parts(request, elements, is_open=run.is_open)


@permission_required("syncing.view_syncrun", raise_exception=True)
@require_safe
def run_json(request: HttpRequest, run_id: int) -> JsonResponse:
    run = run_or_404(run_id)
    response = JsonResponse(run_document(run), json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="kommosync-run-{run.pk}.json"'
    return response


@permission_required("syncing.cancel_sync", raise_exception=True)
@require_POST
def cancel(request: HttpRequest, run_id: int) -> HttpResponse:
    run = run_or_404(run_id)
    if cancel_run(run, by=actor_of(request)):
        text = _("The run is stopping. Accounts that are being worked on end after their current request.")
        messages.info(request, text)
    else:
        run.refresh_from_db()
        text = _("Nothing was stopped: somebody has stopped the run already.")
        if not run.is_open:
            text = _("Nothing was stopped: the run has ended. Look at what it did, and roll it back if need be.")
        messages.warning(request, text)
    return HttpResponseRedirect(run_url(run.pk))


@require_POST
def retry(request: HttpRequest, run_id: int) -> HttpResponse:
    run = run_or_404(run_id)
    require_start(request, run.mode)
    with refusals_shown(request):
        only = storable(request.POST.get("only", ""))
        state, _colon, reason = only.partition(":")
        return to_run(request, retry_failed(run, by=actor_of(request), only=(state, reason) if only else None))
    return HttpResponseRedirect(run_url(run.pk))


@permission_required(FORCE, raise_exception=True)
@require_http_methods(["GET", "POST"])
def force(request: HttpRequest, run_id: int) -> HttpResponse:
    """Runs again without limits what they refused; needs a reason, which is stored with the run."""
    run = run_or_404(run_id)
    require_start(request, run.mode)
    form = ForceForm(request.POST or None)
    if not is_forceable(run):
        messages.error(request, _("Only accounts that the limits refused can be forced."))
        return HttpResponseRedirect(run_url(run.pk))
    if form.is_valid():
        with refusals_shown(request):
            return to_run(request, force_again(run, by=actor_of(request), reason=form.cleaned_data["reason"]))
    writes = run.mode == RunMode.APPLY
    context = {"title": _("Run again, forced"), "run": run, "form": form, "writes": writes}
    context |= {"refused": refused_by_limits(run).count(), "deletes": may_delete(run.group)}
    return page(request, "syncing/confirm_force.html", context)
