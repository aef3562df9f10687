"""Promotes to the master: lists what a slave has beyond or unlike it, to be picked and proposed."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import SECRETS, Account
from accounts.pages import actor_of, page, refusals_shown
from syncing.presentation.links import searched, to_run
from syncing.selectors.drift import drift_of
from syncing.selectors.promotion import candidates, chosen
from syncing.services import promotion
from syncing.views.forms import ReasonForm
from syncing.views.lookup import slave_or_404

CANDIDATES_PER_PAGE = 100


@permission_required("syncing.promote", raise_exception=True)
@require_http_methods(["GET", "POST"])
def promote(request: HttpRequest, account_id: int) -> HttpResponse:
    """Lists (GET) what can be picked (?pick= ticks some of it); plans what is ticked against the master (POST)."""
    account, query = slave_or_404(account_id), searched(request)
    listed = candidates(account, query)
    marked = (request.POST if request.method == "POST" else request.GET).getlist("pick")
    form = ReasonForm(request.POST or None)
    picked = chosen(listed, marked)
    if form.is_valid() and picked:
        with refusals_shown(request):
            picks, reason = [candidate.pick for candidate in picked], form.cleaned_data["reason"]
            return to_run(request, promotion.propose(account, picks, by=actor_of(request), reason=reason))
    elif request.method == "POST":
        messages.error(request, _("Choose at least one item."))
    ticked = {candidate.value for candidate in picked}
    ordered = sorted(listed, key=lambda candidate: candidate.value not in ticked)
    masters = Account.objects.filter(group=account.group_id, role=Account.Role.MASTER).defer(*SECRETS)
    context = {
        "title": _("Promote from %(account)s") % {"account": account},
        "account": account,
        "master": masters.first(),
        "drift": drift_of(account),
        "form": form,
        "query": query,
        "candidates": Paginator(ordered, CANDIDATES_PER_PAGE).get_page(request.GET.get("p")),
        "ticked": ticked,
    }
    return page(request, "syncing/promote.html", context)
