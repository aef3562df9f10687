"""Approves a plan run, or sends it back; plans the accounts again that changed meanwhile."""

from collections.abc import Collection
from dataclasses import dataclass
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
from syncing.presentation.links import run_url, searched, to_run
from syncing.presentation.plan_drawing import draw_plan
from syncing.selectors.approvals import ApprovableAccount, Bundle, bundles, deletions_of, documents_of
from syncing.selectors.overwritten import OverwrittenEdits, overwritten_edits
from syncing.selectors.plans import target_of
from syncing.services import approvals
from syncing.views.forms import ReasonForm, SendBackForm
from syncing.views.lookup import run_or_404
from syncing.views.start import may_start, require_start

DRAWN = 3  # plans, each in its box; the others, and long ones, are drawn on pages of their own
MOST_DRAWN = 200  # changes of a plan
SHOWN = 100  # distinct plans on the page; the rarer ones are approved together
OTHERS = "others"


def approval_context(request: HttpRequest, run: SyncRun, states: Collection[str]) -> dict[str, Any]:
    """Tells if the page of a run with accounts in these states offers to approve and to review, and what goes then."""
    stale = AccountState.REFUSED in states and not run.is_open and approvals.stale(run).exists()
    plan = AccountState.PLANNED in states and approvals.is_approvable(run)
    return {
        "may_approve": plan and approvals.may_approve(run, actor_of(request)),
        "may_review": stale and may_start(request, RunMode.PLAN),
        "overwritten": overwritten_edits(run) if plan or (run.writes and not run.is_open) else OverwrittenEdits(),
    }


@dataclass(frozen=True)
class Choice:
    """What of the plans that are listed a person has ticked: whole plans, and single accounts."""

    listed: list[Bundle]
    digests: set[str]
    accounts: set[str]

    @classmethod
    def of(cls, request: HttpRequest, listed: list[Bundle]) -> "Choice":
        """Reads the form; before it was sent every plan is ticked."""
        if request.method == "POST":
            return cls(listed, set(request.POST.getlist("plan")), set(request.POST.getlist("account")))
        return cls(listed, {bundle.digest for bundle in listed} | {OTHERS}, set())

    @property
    def whole(self) -> list[Bundle]:
        others = self.listed[SHOWN:] if OTHERS in self.digests else []
        return [bundle for bundle in self.listed[:SHOWN] if bundle.digest in self.digests] + others

    @property
    def single(self) -> list[ApprovableAccount]:
        members = (member for bundle in self.listed[:SHOWN] for member in bundle.members)
        return [member for member in members if str(member.account_id) in self.accounts]

    @property
    def is_contradictory(self) -> bool:
        """Tells whether accounts are ticked beside their whole plan: which of them is meant nobody knows."""
        inside = {member.account_id for bundle in self.whole for member in bundle.members}
        return any(member.account_id in inside for member in self.single)

    @property
    def account_ids(self) -> list[int]:
        return [member.account_id for bundle in self.whole for member in bundle.members] + [
            member.account_id for member in self.single
        ]

    def mistake(self) -> str:
        """Returns why it cannot be approved like this; "" if it can."""
        if self.is_contradictory:
            return _("Some accounts are ticked, and their whole plan as well. Tick either the plan or the accounts.")
        return "" if self.whole or self.single else _("Choose at least one plan, or one account.")


@require_http_methods(["GET", "POST"])
def approve(request: HttpRequest, run_id: int) -> HttpResponse:
    """Shows (GET) what will be applied and where; starts it (POST) for the plans and the accounts that are ticked."""
    plan = run_or_404(run_id)
    by = actor_of(request)
    if not approvals.may_approve(plan, by):
        raise PermissionDenied
    with refusals_shown(request):
        approvals.check(plan, by=by)
        form = ReasonForm(request.POST or None)
        query, digest = searched(request), storable(request.GET.get("plan", ""))
        choice = Choice.of(request, bundles(plan, approvals.approvable(plan), query, digest))
        mistake = choice.mistake()
        if form.is_valid() and not mistake:
            is_whole_plan = not query and not digest and len(choice.whole) == len(choice.listed)
            ids = choice.account_ids
            accounts = None if is_whole_plan else list(Account.objects.filter(pk__in=ids).defer(*SECRETS))
            reason = form.cleaned_data["reason"]
            with refusals_shown(request):
                return to_run(request, approvals.approve(plan, by=by, accounts=accounts, reason=reason))
            if not approvals.can_be_approved(plan, by=by):  # a second click, or somebody else
                return HttpResponseRedirect(run_url(plan.pk))
        if request.method == "POST" and mistake:
            messages.error(request, mistake)
        title = _("Approve the plan of run %(number)d") % {"number": plan.pk}
        context = {"title": title, "run": plan, "form": form, "query": query, "choice": choice}
        context |= {"narrowed": bool(query or digest), "comment": SendBackForm()}
        return page(request, "console/approve.html", context | _listing(plan, choice.listed))
    return HttpResponseRedirect(run_url(plan.pk))


@require_http_methods(["GET", "POST"])
def send_back(request: HttpRequest, run_id: int) -> HttpResponse:
    """Asks (GET) for the comment with which a plan is sent back; sends it back (POST)."""
    plan = run_or_404(run_id)
    by = actor_of(request)
    if not approvals.may_approve(plan, by):
        raise PermissionDenied
    form = SendBackForm(request.POST or None)
    if form.is_valid():
        with refusals_shown(request):
            approvals.send_back(plan, by=by, comment=form.cleaned_data["comment"])
            messages.success(request, _("The plan was sent back. Nobody can approve it any more."))
            return HttpResponseRedirect(run_url(plan.pk))
    title = _("Send back the plan of run %(number)d") % {"number": plan.pk}
    return page(request, "console/send_back.html", {"title": title, "run": plan, "comment": form})


@require_POST
def review(request: HttpRequest, run_id: int) -> HttpResponse:
    """Plans the accounts again that changed since they were reviewed."""
    require_start(request, RunMode.PLAN)
    run = run_or_404(run_id)
    with refusals_shown(request):
        return to_run(request, approvals.review_again(run, by=actor_of(request)))
    return HttpResponseRedirect(run_url(run.pk))


def _listing(plan: SyncRun, listed: list[Bundle]) -> dict[str, Any]:
    """Returns the distinct plans for the page, the first of them drawn, and their totals."""
    drawn = [bundle for bundle in listed[:DRAWN] if bundle.tally.changes <= MOST_DRAWN]
    documents, targets = documents_of(drawn), _targets(plan, drawn)
    pictures = {
        digest: draw_plan(document.get("changes", ()), targets[digest]) for digest, document in documents.items()
    }
    deletions = deletions_of(listed[:SHOWN])
    return {
        "bundles": listed[:SHOWN],
        "boxes": [(each, pictures.get(each.digest), deletions.get(each.digest)) for each in listed[:SHOWN]],
        "others": listed[SHOWN:],
        "overwritten": overwritten_edits(plan).among(each.account_id for bundle in listed for each in bundle.members),
        "other_accounts": sum(len(bundle.members) for bundle in listed[SHOWN:]),
        "accounts": sum(len(bundle.members) for bundle in listed),
        "written": sum(bundle.written for bundle in listed),
        "created": sum(bundle.created * len(bundle.members) for bundle in listed),
        "updated": sum(bundle.updated * len(bundle.members) for bundle in listed),
        "deleted": sum(bundle.deleted * len(bundle.members) for bundle in listed),
    }


def _targets(plan: SyncRun, drawn: list[Bundle]) -> dict[str, Any]:
    """Returns what the first account of each plan becomes, by digest; but for a rollback all become the same."""
    if plan.reverts_id:
        return {bundle.digest: target_of(plan, bundle.members[0].account_id) for bundle in drawn}
    return dict.fromkeys(
        (bundle.digest for bundle in drawn), target_of(plan, drawn[0].members[0].account_id) if drawn else None
    )
