"""Rolls a run back: shows the effect on each account, and starts the plan or the rollback."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.pages import actor_of, page, refusals_shown
from accounts.text_search import is_in
from syncing.models import RunMode, SyncRun
from syncing.presentation.links import run_url, searched, to_run
from syncing.selectors.rollback import AccountForecast
from syncing.services import rollback
from syncing.views.forms import ReasonForm
from syncing.views.lookup import run_or_404

ACCOUNTS_PER_PAGE = 100


class RollbackForm(ReasonForm):
    which = forms.ChoiceField(
        label=gettext_lazy("Accounts"),
        choices=[
            ("all", gettext_lazy("All accounts found")),
            ("ticked", gettext_lazy("Only the accounts that are ticked")),
        ],
        initial="all",
        widget=forms.RadioSelect,
    )
    mode = forms.ChoiceField(choices=RunMode.choices)

    def __init__(self, data: QueryDict | None) -> None:
        super().__init__(data)
        self.ticked = set(data.getlist("account")) if data else set()

    def clean_which(self) -> str:
        """Refuses ticked accounts together with the choice of all: one of the two is a mistake."""
        which: str = self.cleaned_data["which"]
        if which == "all" and self.ticked:
            raise forms.ValidationError(_("You ticked some accounts but chose all accounts. Choose one of the two."))
        return which


@permission_required("syncing.roll_back", raise_exception=True)
@require_http_methods(["GET", "POST"])
def roll_back(request: HttpRequest, run_id: int) -> HttpResponse:
    """Shows (GET) what comes back and what cannot; plans it, or does it, for the chosen accounts (POST)."""
    run = run_or_404(run_id)
    with refusals_shown(request):
        rollback.check(run)
        form = RollbackForm(request.POST or None)
        text = searched(request)
        forecasts = [
            forecast
            for forecast in rollback.forecasts_of(run)
            if is_in(text, forecast.account.name, forecast.account.subdomain)
        ]
        forecasts.sort(key=lambda forecast: bool(forecast.why_not))
        if form.is_valid():
            choice, able = form.cleaned_data, [forecast.account for forecast in forecasts if not forecast.why_not]
            accounts = [each for each in able if choice["which"] == "all" or str(each.pk) in form.ticked]
            if accounts:
                mode, reason = choice["mode"], choice["reason"]
                with refusals_shown(request):
                    started = rollback.start(run, accounts=accounts, mode=mode, by=actor_of(request), reason=reason)
                    return to_run(request, started)
            else:
                messages.error(request, _("Choose at least one account."))
        return page(request, "syncing/rollback.html", _context(request, run, form, forecasts))
    return HttpResponseRedirect(run_url(run.pk))


def _context(
    request: HttpRequest, run: SyncRun, form: RollbackForm, forecasts: Sequence[AccountForecast]
) -> dict[str, Any]:
    """Returns what the page shows: the forecasts, and their totals over all accounts that can be rolled back."""
    able = [forecast for forecast in forecasts if not forecast.why_not]
    return {
        "title": _("Roll back run %(number)d") % {"number": run.pk},
        "run": run,
        "form": form,
        "query": searched(request),
        "forecasts": Paginator(forecasts, ACCOUNTS_PER_PAGE).get_page(request.GET.get("p")),
        "able": len(able),
        "ticked": form.ticked,
        "restored": sum(forecast.restored for forecast in able),
        "deleted": sum(forecast.deleted for forecast in able),
        "recreated": sum(forecast.recreated for forecast in able),
        "lossy": sum(bool(forecast.losses) for forecast in able),
        "overwritten": sum(bool(forecast.later) for forecast in able),
        "only_plans": run.group.requires_approval,
    }
