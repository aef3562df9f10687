"""Does something about drift: checks again, reverts it, accepts it with a reason, withdraws that."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.kommo.texts import storable_id
from accounts.models import RELATED_SECRETS, Account, SyncGroup
from accounts.pages import actor_of, page, refusals_shown
from syncing.models import AcceptedDifference
from syncing.presentation.links import to_run
from syncing.presentation.sentences import settle_all_label
from syncing.records.drift import is_covered
from syncing.selectors import drift as reads
from syncing.services.drift_checks import check_now
from syncing.services.exceptions import accept, revert, withdraw
from syncing.services.runs.start import allowed_mode
from syncing.views.forms import reason_field
from syncing.views.lookup import slave_or_404
from syncing.views.start import require_start

SHOWN = 200  # differences of an account that a question lists


class AcceptForm(forms.Form):
    kind = forms.CharField(max_length=12, widget=forms.HiddenInput)
    key = forms.CharField(max_length=500, strip=False, widget=forms.HiddenInput)
    attribute = forms.CharField(max_length=30, required=False, widget=forms.HiddenInput)
    reason = reason_field(gettext_lazy("Why may it stay? The reason is stored with the exception and in the audit."))


def _back(account: Account) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("syncing:drift_account", args=[account.pk]))


# -- check --


@permission_required("syncing.plan_sync", raise_exception=True)
@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """Starts a read-only run of the group that the form names."""
    group = get_object_or_404(SyncGroup, pk=storable_id(request.POST.get("group", "")))
    with refusals_shown(request):
        return to_run(request, check_now(group, by=actor_of(request)))
    return HttpResponseRedirect(reverse("syncing:drift"))


@permission_required("syncing.plan_sync", raise_exception=True)
@require_POST
def check_account(request: HttpRequest, account_id: int) -> HttpResponse:
    """Starts a read-only run of one slave."""
    account = slave_or_404(account_id)
    with refusals_shown(request):
        return to_run(request, check_now(account.group, by=actor_of(request), accounts=[account]))
    return _back(account)


# -- revert --


@require_http_methods(["GET", "POST"])
def take_back(request: HttpRequest, account_id: int) -> HttpResponse:
    """Shows (GET) everything that goes back, as a run cannot leave out some of it; starts the run (POST)."""
    account = slave_or_404(account_id)
    require_start(request, allowed_mode(account.group))
    if request.method == "POST":
        with refusals_shown(request):
            return to_run(request, revert(account, by=actor_of(request)))
        return _back(account)
    drift = reads.drift_of(account)
    settle = settle_all_label(drift) if drift else _("Make all as in the master")
    rows = [row for row in reads.differences_of(drift) if not row.is_extra]
    context = {
        "title": f"{account}: {settle}",
        "settle": settle,
        "account": account,
        "differences": rows[:SHOWN],
        "more": len(rows[SHOWN:]),
        "only_plans": account.group.requires_approval,
    }
    return page(request, "syncing/drift_revert.html", context)


# -- exceptions --


@permission_required("syncing.accept_drift", raise_exception=True)
@require_http_methods(["GET", "POST"])
def accept_difference(request: HttpRequest, account_id: int) -> HttpResponse:
    """Asks for the reason (GET), accepts (POST); ?kind=&key=&attribute= say what (no attribute: the whole item)."""
    account = slave_or_404(account_id)
    form = AcceptForm(request.POST) if request.method == "POST" else AcceptForm(initial=request.GET.dict())
    if not form.is_valid():
        return _ask_for_reason(request, account, form)
    with refusals_shown(request):
        accepted = accept(account, **form.cleaned_data, by=actor_of(request))
        text = _("Accepted: %(name)s. Runs do not change it in this account until the exception is withdrawn.")
        messages.success(request, text % {"name": accepted.name})
    return _back(account)


def _ask_for_reason(request: HttpRequest, account: Account, form: AcceptForm) -> HttpResponse:
    """Shows what is about to be accepted; goes back to the account if it no longer differs."""
    kind, key, attribute = (str(form[name].value() or "") for name in ("kind", "key", "attribute"))
    differences = reads.differences_of(reads.drift_of(account))
    rows = [row for row in differences if is_covered(vars(row), kind, key, attribute)]
    if not rows:
        messages.error(
            request, _("This difference no longer exists. It may have been settled or accepted in the meantime.")
        )
        return _back(account)
    context = {
        "title": _("Accept a difference"),
        "account": account,
        "form": form,
        "whole": not attribute,
        "differences": rows[:SHOWN],
        "more": len(rows[SHOWN:]),
    }
    return page(request, "syncing/drift_accept.html", context)


@permission_required("syncing.accept_drift", raise_exception=True)
@require_POST
def withdraw_exception(request: HttpRequest, exception_id: int) -> HttpResponse:
    """Ends an exception; from then on the difference counts as drift again."""
    exceptions = AcceptedDifference.objects.select_related("account__group").defer(*RELATED_SECRETS)
    accepted = get_object_or_404(exceptions, pk=exception_id)
    with refusals_shown(request):
        withdraw(accepted, by=actor_of(request))
        messages.success(
            request,
            _("The exception is withdrawn. The next check shows what differs now; press Check now to start one."),
        )
    return _back(accepted.account)
