"""Promoting to the master: what a slave has beyond or unlike it, to be picked and proposed."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import SECRETS, Account
from accounts.pages import actor_of, page, refusals_shown
from syncing.presentation.links import searched, to_run
from syncing.selectors.drift import drift_of
from syncing.selectors.promotion import PromotionCandidate, candidates, chosen
from syncing.services import promotion
from syncing.views.drift import slave

CANDIDATES_PER_PAGE = 100


class ProposeForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
        help_text=gettext_lazy("Optional. It is stored in the audit."),
    )


@permission_required("syncing.promote", raise_exception=True)
@require_http_methods(["GET", "POST"])
def promote(request: HttpRequest, account_id: int) -> HttpResponse:
    """GET lists what can be picked (?pick= ticks some of it); POST plans what is ticked against the master."""
    account = slave(account_id)
    found = candidates(account, searched(request))
    ticked = (request.POST if request.method == "POST" else request.GET).getlist("pick")
    form = ProposeForm(request.POST or None)
    picked = chosen(found, ticked)
    if form.is_valid() and picked:
        with refusals_shown(request):
            picks, reason = [candidate.pick for candidate in picked], form.cleaned_data["reason"]
            return to_run(request, promotion.propose(account, picks, by=actor_of(request), reason=reason))
    elif request.method == "POST":
        messages.error(request, _("Choose at least one item."))
    return page(request, "syncing/promote.html", _context(request, account, form, found, picked))


def _context(
    request: HttpRequest,
    account: Account,
    form: ProposeForm,
    found: list[PromotionCandidate],
    picked: list[PromotionCandidate],
) -> dict[str, Any]:
    ticked = {candidate.value for candidate in picked}
    ordered = sorted(found, key=lambda candidate: candidate.value not in ticked)
    masters = Account.objects.filter(group=account.group_id, role=Account.Role.MASTER).defer(*SECRETS)
    return {
        "title": _("Promote from %(account)s") % {"account": account},
        "account": account,
        "master": masters.first(),
        "drift": drift_of(account),
        "form": form,
        "query": searched(request),
        "candidates": Paginator(ordered, CANDIDATES_PER_PAGE).get_page(request.GET.get("p")),
        "ticked": ticked,
    }
