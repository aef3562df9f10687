"""Approves a plan run, and plans the accounts again that changed meanwhile."""

from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.kommo.texts import storable
from accounts.models import SECRETS, Account
from accounts.pages import actor_of, page, refusals_shown
from syncing.models import AccountState, RunMode, SyncRun
from syncing.presentation.links import run_url, to_run
from syncing.selectors.approvals import Bundle, bundles
from syncing.services import approvals
from syncing.views.forms import ReasonForm
from syncing.views.lookup import run_or_404
from syncing.views.start import may_start, require_start

SHOWN = 100  # distinct plans on the page; the rarer ones are approved together
OTHERS = "others"


def approval_context(request: HttpRequest, run: SyncRun, states: Collection[str]) -> dict[str, bool]:
    """Tells if the page of a run with accounts in these states offers to approve and to review."""
    stale = AccountState.REFUSED in states and not run.is_open and approvals.stale(run).exists()
    plan = AccountState.PLANNED in states and approvals.is_approvable(run)
    return {
        "may_approve": plan and approvals.may_approve(run, actor_of(request)),
        "may_review": stale and may_start(request, RunMode.PLAN),
    }


@require_http_methods(["GET", "POST"])
def approve(request: HttpRequest, run_id: int) -> HttpResponse:
    """Shows (GET) what will be applied and where; starts it (POST) for the plans that are ticked."""
    plan = run_or_404(run_id)
    by = actor_of(request)
    if not approvals.may_approve(plan, by):
        raise PermissionDenied
    with refusals_shown(request):
        approvals.check(plan, by=by)
        form = ReasonForm(request.POST or None)
        query, digest = storable(request.GET.get("q", "")).strip(), storable(request.GET.get("plan", ""))
        listed = bundles(plan, approvals.approvable(plan), query, digest)
        shown, others, ticked = listed[:SHOWN], listed[SHOWN:], set(request.POST.getlist("plan"))
        chosen = [bundle for bundle in shown if bundle.digest in ticked] + (others if OTHERS in ticked else [])
        if form.is_valid() and chosen:
            ids = [member.account_id for bundle in chosen for member in bundle.members]
            is_whole_plan = not query and not digest and len(chosen) == len(listed)
            accounts = None if is_whole_plan else list(Account.objects.filter(pk__in=ids).defer(*SECRETS))
            reason = form.cleaned_data["reason"]
            return to_run(request, approvals.approve(plan, by=by, accounts=accounts, reason=reason))
        if request.method == "POST" and not chosen:
            messages.error(request, _("Choose at least one plan."))
        title = _("Approve the plan of run %(number)d") % {"number": plan.pk}
        context = {"title": title, "run": plan, "form": form, "query": request.GET.get("q", "")}
        return page(request, "syncing/approve.html", context | _listing(listed, narrowed=bool(query or digest)))
    return HttpResponseRedirect(run_url(plan.pk))


@require_POST
def review(request: HttpRequest, run_id: int) -> HttpResponse:
    """Plans the accounts again that changed since they were reviewed."""
    require_start(request, RunMode.PLAN)
    run = run_or_404(run_id)
    with refusals_shown(request):
        return to_run(request, approvals.review_again(run, by=actor_of(request)))
    return HttpResponseRedirect(run_url(run.pk))


def _listing(listed: list[Bundle], *, narrowed: bool) -> dict[str, Any]:
    """Returns the distinct plans for the page, and their totals; `narrowed`: a search left out others."""
    return {
        "narrowed": narrowed,
        "bundles": listed[:SHOWN],
        "others": listed[SHOWN:],
        "other_accounts": sum(len(bundle.members) for bundle in listed[SHOWN:]),
        "accounts": sum(len(bundle.members) for bundle in listed),
        "written": sum(bundle.written for bundle in listed),
        "created": sum(bundle.created * len(bundle.members) for bundle in listed),
        "updated": sum(bundle.updated * len(bundle.members) for bundle in listed),
        "deleted": sum(bundle.deleted * len(bundle.members) for bundle in listed),
    }
