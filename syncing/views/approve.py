"""Approving a plan run, and having the accounts reviewed again that changed meanwhile."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.kommo.texts import storable
from accounts.models import SECRETS, Account
from accounts.pages import actor_of, page, refusals_shown
from syncing.models import AccountState, RunMode, SyncRun
from syncing.presentation.links import run_url, to_run
from syncing.selectors.approvals import Bundle, bundles
from syncing.services import approvals
from syncing.views.start import may_start, require_start

SHOWN = 100  # distinct plans on the page; the rarer ones are approved together
OTHERS = "others"


class ApproveForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
        help_text=gettext_lazy("Optional. It is stored in the audit."),
    )


def decisions(request: HttpRequest, run: SyncRun, states: Collection[str]) -> dict[str, bool]:
    """Which of the two is offered on the page of a run with accounts in these states."""
    stale = AccountState.REFUSED in states and not run.is_open and approvals.stale(run).exists()
    plan = AccountState.PLANNED in states and approvals.is_approvable(run)
    return {
        "may_approve": plan and approvals.may_approve(run, actor_of(request)),
        "may_review": stale and may_start(request, RunMode.PLAN),
    }


@require_http_methods(["GET", "POST"])
def approve(request: HttpRequest, run_id: int) -> HttpResponse:
    """GET shows what will be applied and where; POST starts it for the plans that are ticked."""
    plan = _run(run_id)
    by = actor_of(request)
    if not approvals.may_approve(plan, by):
        raise PermissionDenied
    with refusals_shown(request):
        approvals.check(plan, by=by)
        form = ApproveForm(request.POST or None)
        found, narrowed = _bundles(request, plan)
        chosen = _ticked(request, found)
        if form.is_valid() and chosen:
            accounts = None if not narrowed and len(chosen) == len(found) else _accounts(chosen)
            reason = form.cleaned_data["reason"]
            return to_run(request, approvals.approve(plan, by=by, accounts=accounts, reason=reason))
        if request.method == "POST" and not chosen:
            messages.error(request, _("Choose at least one plan."))
        return page(request, "syncing/approve.html", _question(request, plan, form, found, narrowed))
    return HttpResponseRedirect(run_url(plan.pk))


@require_POST
def review(request: HttpRequest, run_id: int) -> HttpResponse:
    """Plans the accounts again that changed since they were reviewed."""
    require_start(request, RunMode.PLAN)
    run = _run(run_id)
    with refusals_shown(request):
        return to_run(request, approvals.review_again(run, by=actor_of(request)))
    return HttpResponseRedirect(run_url(run.pk))


def _run(run_id: int) -> SyncRun:
    return get_object_or_404(SyncRun.objects.select_related("group", "requested_by"), pk=run_id)


def _bundles(request: HttpRequest, plan: SyncRun) -> tuple[list[Bundle], bool]:
    """What the search left, and whether there was one."""
    query, digest = storable(request.GET.get("q", "")).strip(), storable(request.GET.get("plan", ""))
    return bundles(plan, approvals.approvable(plan), query, digest), bool(query or digest)


def _ticked(request: HttpRequest, found: list[Bundle]) -> list[Bundle]:
    ticked = set(request.POST.getlist("plan"))
    shown = [bundle for bundle in found[:SHOWN] if bundle.digest in ticked]
    return shown + (found[SHOWN:] if OTHERS in ticked else [])


def _accounts(chosen: list[Bundle]) -> list[Account]:
    ids = [member.account_id for bundle in chosen for member in bundle.members]
    return list(Account.objects.filter(pk__in=ids).defer(*SECRETS))


def _question(
    request: HttpRequest, plan: SyncRun, form: ApproveForm, found: list[Bundle], narrowed: bool
) -> dict[str, Any]:
    return {
        "title": _("Approve the plan of run %(number)d") % {"number": plan.pk},
        "run": plan,
        "form": form,
        "bundles": found[:SHOWN],
        "others": found[SHOWN:],
        "other_accounts": sum(len(bundle.members) for bundle in found[SHOWN:]),
        "accounts": sum(len(bundle.members) for bundle in found),
        "written": sum(bundle.written for bundle in found),
        "created": sum(bundle.created * len(bundle.members) for bundle in found),
        "updated": sum(bundle.updated * len(bundle.members) for bundle in found),
        "deleted": sum(bundle.deleted * len(bundle.members) for bundle in found),
        "query": request.GET.get("q", ""),
        "narrowed": narrowed,
    }
