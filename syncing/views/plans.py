"""Shows the plans of a run: the grid on its page, a page for each distinct plan, and the files to take along."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.kommo.texts import storable_id
from accounts.pages import csv_response, page
from syncing.engine.grouping import Document, plan_counts, rows
from syncing.models import AccountRun, AccountState, RunMode, SyncRun
from syncing.presentation.links import searched
from syncing.presentation.plan_drawing import draw_plan
from syncing.presentation.runs import run_report
from syncing.purposes import purpose_of
from syncing.selectors.documents import run_document
from syncing.selectors.grid import RunSearch, grid
from syncing.selectors.plan_rows import HEAD, plan_rows, row_mentions
from syncing.selectors.plans import DistinctPlan, ListedAccount, plan_of, target_of, with_plan
from syncing.selectors.runs import RunProgress
from syncing.views.approvals import approval_context
from syncing.views.lookup import run_or_404
from syncing.views.start import may_start

ROWS_PER_PAGE = 100
LOG_ENTRIES = 500
may_look = permission_required("syncing.view_syncrun", raise_exception=True)


def grid_context(request: HttpRequest, run: SyncRun, progress: RunProgress, search: RunSearch | None) -> dict[str, Any]:
    """Returns the grid of a run that has plans to show: one that only looks, or that refused accounts."""
    refused = any(entry.state == AccountState.REFUSED for entry in progress.states)
    shows = run.mode == RunMode.PLAN or refused
    return {"grid": grid(run, search, request.GET.get("g")) if shows else None}


@dataclass(frozen=True)
class Rows:
    """One page of the rows of a document, in the lists they belong to; `totals` are those of the search."""

    page: Page[Any]
    lists: dict[str, list[Any]]
    totals: dict[str, int]
    query: str
    action: str


def rows_of(request: HttpRequest, document: Document) -> Rows:
    """Returns the rows that the request asks for: by the name of an item (q), by what is done with it (action)."""
    query, action = searched(request), request.GET.get("action", "")
    wanted = [
        (name, row)
        for name, row in rows(document)
        if row_mentions(row, query) and action in ("", row.get("action") or name)
    ]
    rows_page = Paginator(wanted, ROWS_PER_PAGE).get_page(request.GET.get("p"))
    names = ("conflicts", "manual", "changes", "extras")
    lists = {name: [row for kind, row in rows_page if kind == name] for name in names}
    totals = {name: sum(kind == name for kind, _row in wanted) for name in names}
    return Rows(rows_page, lists, totals, query, action)


def account_run_context(request: HttpRequest, account_run: AccountRun) -> dict[str, Any]:
    """Returns everything the page of an account run shows."""
    same = with_plan(account_run.run).filter(content_digest=account_run.content_digest)
    has_plan = same.filter(pk=account_run.pk).exists()
    return {
        "account_run": account_run,
        "run": account_run.run,
        "rows": rows_of(request, account_run.document),
        "tally": plan_counts(account_run.document),
        "has_plan": has_plan,
        "others_with_it": same.count() - 1 if has_plan else 0,
        "log": account_run.log.all()[:LOG_ENTRIES],
    }


@may_look
@require_safe
def plan(request: HttpRequest, run_id: int, digest: str) -> HttpResponse:
    """Shows everything about one distinct plan, in pages and with a search of its own."""
    run = run_or_404(run_id)
    plan = plan_of(run, digest)
    if plan is None:
        raise Http404
    drawn_as = _drawn_as(request, plan)
    drawn = draw_plan(plan.document.get("changes", ()), target_of(run, drawn_as.account_id))
    is_choosable = drawn and not run.picked and purpose_of(run.purpose).compares_with_master
    approval = approval_context(request, run, {member.state for member in plan.members})
    context = {
        "title": _("Plan of run %(number)d") % {"number": run.pk},
        "run": run,
        "plan": plan,
        "drawn": drawn,
        "drawn_as": drawn_as,
        "shows_rest": "rest" in request.GET,
        "opens_words": not drawn or any(name in request.GET for name in ("q", "action", "p")),
        "may_choose": is_choosable and may_start(request, RunMode.PLAN),
        "may_approve": approval["may_approve"],
        "overwritten": approval["overwritten"].among(member.account_id for member in plan.members),
    }
    return page(request, "console/plan.html", context | {"rows": rows_of(request, plan.document)})


def _drawn_as(request: HttpRequest, plan: DistinctPlan) -> ListedAccount:
    """Returns the account that the picture shows: of a rollback each has its own, in which other items may stand."""
    wanted = storable_id(request.GET.get("as", ""))
    return next((member for member in plan.members if member.account_id == wanted), plan.example)


@may_look
@require_safe
def plan_csv(request: HttpRequest, run_id: int) -> StreamingHttpResponse:
    """Exports one line for each change of each account, for those who review in a spreadsheet."""
    run = run_or_404(run_id)
    return csv_response(f"kommosync-run-{run.pk}-plan.csv", HEAD, plan_rows(run))


@may_look
@require_safe
def plan_text(request: HttpRequest, run_id: int) -> HttpResponse:
    """Exports the text that the command line prints about the run."""
    run = run_or_404(run_id)
    response = HttpResponse(run_report(run_document(run, shared=True)) + "\n", content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="kommosync-run-{run.pk}-plan.txt"'
    return response
