"""Shows drift by item, and accepts or reverts one item in several accounts at once."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts.kommo.texts import storable_id
from accounts.models import Account, SyncGroup
from accounts.pages import actor_of, page, refusals_shown
from syncing.models import SavedList
from syncing.presentation.links import to_run
from syncing.presentation.sentences import common_sentence, settle_label
from syncing.selectors import drift as reads
from syncing.selectors.drift_items import WHAT, DriftItemFilters, accounts_with, drifted_items
from syncing.services.exceptions import accept_in, is_revertible, revert_item
from syncing.services.runs.start import allowed_mode
from syncing.views.forms import reason_field
from syncing.views.saved_views import list_views
from syncing.views.start import may_start, require_start

ITEMS_PER_PAGE = 50


class BulkForm(forms.Form):
    """The item, and the accounts that are ticked."""

    group = forms.ModelChoiceField(SyncGroup.objects.all(), widget=forms.HiddenInput)
    kind = forms.CharField(max_length=12, widget=forms.HiddenInput)
    key = forms.CharField(max_length=500, strip=False, widget=forms.HiddenInput)
    attribute = forms.CharField(max_length=30, required=False, widget=forms.HiddenInput)
    action = forms.CharField(max_length=6, widget=forms.HiddenInput)
    reason = reason_field(gettext_lazy("Why may it stay? The reason is stored with every exception and in the audit."))


def items(request: HttpRequest) -> HttpResponse:
    """Lists what differs, each item once, in the most accounts first; `?only=there`: what only accounts have."""
    filters = DriftItemFilters.of(request.GET)
    saved = list_views(request, SavedList.DRIFT_ITEMS, filters)
    if saved.opens:
        return HttpResponseRedirect(saved.opens)
    groups = {group.pk: group for group in SyncGroup.objects.all()}
    rows = [
        {
            "item": item,
            "sentence": common_sentence(
                item.action,
                item.attribute,
                len(item.accounts),
                deletes_unasked=groups[item.group_id].deletes_unasked,
            ),
            "settle": settle_label(item.causes, len(item.accounts)),
            "causes": item.causes.most_common(),
            "may_revert": is_revertible(item.kind, item.action)
            and may_start(request, allowed_mode(groups[item.group_id])),
        }
        for item in drifted_items(filters)
    ]
    context = {
        "title": _("Drift by item"),
        "items": Paginator(rows, ITEMS_PER_PAGE).get_page(request.GET.get("p")),
        "groups": groups.values(),
        "saved": saved,
        "filters": filters,
        "causes": (reads.EDITED_CAUSE, *reads.CAUSES),
        "may_accept": request.user.has_perm("syncing.accept_drift"),
    }
    return page(request, "console/drift_items.html", context)


@permission_required("syncing.accept_drift", raise_exception=True)
@require_http_methods(["GET", "POST"])
def accept_items(request: HttpRequest) -> HttpResponse:
    """Asks in which accounts a difference may stay, and why (GET); accepts it there (POST)."""
    differing, query = _found_or_404(request), request.POST or request.GET
    form = BulkForm(request.POST or None, initial=query.dict())
    chosen = _ticked(request, differing)
    if form.is_valid() and chosen:
        facts = {name: form.cleaned_data[name] for name in ("kind", "key", "attribute", "reason")}
        accepted, refusals = accept_in(chosen, **facts, by=actor_of(request))
        for refusal in refusals:
            messages.error(request, str(refusal))
        if accepted:
            text = ngettext("Accepted in %(n)d account.", "Accepted in %(n)d accounts.", len(accepted))
            messages.success(request, text % {"n": len(accepted)})
            return _back()
    return _question(request, differing, form, decision="accept")


@require_http_methods(["GET", "POST"])
def revert_items(request: HttpRequest) -> HttpResponse:
    """Shows the accounts in which an item becomes as in the master (GET); starts the run about it alone (POST)."""
    differing, query = _found_or_404(request), request.POST or request.GET
    group = get_object_or_404(SyncGroup, pk=storable_id(query.get("group", "")))
    require_start(request, allowed_mode(group))
    form = BulkForm(request.POST or None, initial=query.dict())
    chosen = _ticked(request, differing)
    if request.method == "POST" and chosen:
        facts = {name: query.get(name, "") for name in ("kind", "key", "attribute")}
        with refusals_shown(request):
            return to_run(request, revert_item(group, chosen, **facts, by=actor_of(request)))
    return _question(request, differing, form, decision="revert", only_plans=group.requires_approval)


def _found_or_404(request: HttpRequest) -> list[tuple[Account, Any]]:
    query = request.POST or request.GET
    group = get_object_or_404(SyncGroup, pk=storable_id(query.get("group", "")))
    return accounts_with(group.pk, *(query.get(name, "") for name in WHAT))


def _ticked(request: HttpRequest, differing: list[tuple[Account, Any]]) -> list[Account]:
    ticked = set(request.POST.getlist("account"))
    return [account for account, _row in differing if str(account.pk) in ticked]


def _question(request: HttpRequest, differing: list[tuple[Account, Any]], form: BulkForm, **facts: Any) -> HttpResponse:
    """Shows the page on which accounts are ticked; goes back if the difference is gone."""
    if not differing:
        messages.error(
            request, _("This difference no longer exists. It may have been settled or accepted in the meantime.")
        )
        return _back()
    if request.method == "POST" and not _ticked(request, differing):
        messages.error(request, _("Choose at least one account."))
    sent = request.POST if request.method == "POST" else request.GET
    ticked = set(sent.getlist("account")) if request.method == "POST" or "account" in sent else None
    row = differing[0][1]
    settling = settle_label((difference.cause for _account, difference in differing), len(differing))
    context = {
        "title": _("Accept in several accounts") if facts["decision"] == "accept" else settling,
        "settle": settling,
        "row": row,
        "lines": [(account, row, ticked is None or str(account.pk) in ticked) for account, row in differing],
        "form": form,
        **facts,
    }
    return page(request, "console/drift_decide.html", context)


def _back() -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse('syncing:drift')}?by=item")
