"""Chooses items of a plan for a run of their own."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.pages import actor_of, page, refusals_shown
from syncing.models import RunMode
from syncing.presentation.links import to_run
from syncing.selectors.approvals import bundles
from syncing.services import approvals, choice
from syncing.views.lookup import run_or_404
from syncing.views.start import require_start


@require_http_methods(["GET", "POST"])
def choose(request: HttpRequest, run_id: int, digest: str) -> HttpResponse:
    """Lists (GET) what of a plan can be chosen; plans what is ticked alone (POST)."""
    require_start(request, RunMode.PLAN)
    plan = run_or_404(run_id)
    ticked = request.POST.getlist("item")
    if request.method == "POST":
        with refusals_shown(request):
            return to_run(request, choice.plan_chosen(plan, digest, ticked, by=actor_of(request)))
    listed = bundles(plan, approvals.approvable(plan), digest=digest)
    context = {
        "title": _("Choose items of the plan of run %(number)d") % {"number": plan.pk},
        "run": plan,
        "digest": digest,
        "items": choice.choosable(plan, digest),
        "accounts": sum(len(bundle.members) for bundle in listed),
        "deletes": sum(bundle.deleted for bundle in listed[:1]),
        "ticked": ticked,
    }
    return page(request, "console/choose.html", context)
