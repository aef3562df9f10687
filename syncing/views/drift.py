"""Shows the drift of all accounts, and of one account field by field."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.kommo.texts import storable_id
from accounts.models import SyncGroup
from accounts.pages import page
from syncing.models import SavedList, Standing
from syncing.presentation.links import searched
from syncing.selectors import drift as reads
from syncing.selectors.healing import rules_of, with_modes
from syncing.services.runs.start import allowed_mode
from syncing.views.drift_items import items
from syncing.views.lookup import slave_or_404
from syncing.views.saved_views import list_views
from syncing.views.start import may_start

ACCOUNTS_PER_PAGE = 100
DIFFERENCES_PER_PAGE = 50
CHANGES_PER_PAGE = 10


@permission_required("syncing.view_drift", raise_exception=True)
@require_safe
def drift(request: HttpRequest) -> HttpResponse:
    """Lists every slave, the ones that differ most first; ?by=item: what differs, in how many of them."""
    if request.GET.get("by") == "item":
        return items(request)
    filters, moment = reads.DriftListFilters.of(request.GET), timezone.now()
    saved = list_views(request, SavedList.DRIFT, filters)
    if saved.opens:
        return HttpResponseRedirect(saved.opens)
    context = {
        "title": _("Drift"),
        "accounts": _page(request, reads.listing(filters, moment), ACCOUNTS_PER_PAGE),
        "summary": reads.drift_summary(moment, storable_id(filters.group)),
        "groups": SyncGroup.objects.all(),
        "saved": saved,
        "filters": filters,
        "causes": (reads.EDITED_CAUSE, *reads.CAUSES),
        "states": Standing.values,
        "may_check": request.user.has_perm("syncing.plan_sync"),
    }
    return page(request, "syncing/drift.html", context)


@permission_required("syncing.view_drift", raise_exception=True)
@require_safe
def drift_account(request: HttpRequest, account_id: int) -> HttpResponse:
    """Shows one slave: what differs, what only it has, what is accepted or left out, and how it came about."""
    account, text, may = slave_or_404(account_id), searched(request), request.user.has_perm
    drift = reads.drift_of(account)
    item_modes = list(rules_of(account.group))
    rows = with_modes(reads.differences_of(drift, text), account.group, item_modes)
    context = {
        "title": _("Drift of %(account)s") % {"account": account},
        "account": account,
        "drift": drift,
        "q": text,
        "differences": _page(request, [row for row in rows if not row.is_extra], DIFFERENCES_PER_PAGE),
        "extras": _page(request, [row for row in rows if row.is_extra], DIFFERENCES_PER_PAGE, "x"),
        "item_modes": item_modes,
        "exceptions": reads.exceptions_of(account),
        "exclusions": account.exclusions.all(),
        "changes": _page(request, reads.changes_of(account), CHANGES_PER_PAGE, "h"),
        "may_check": may("syncing.plan_sync"),
        "may_revert": may_start(request, allowed_mode(account.group)),
        "may_accept": may("syncing.accept_drift"),
        "may_promote": may("syncing.promote"),
    }
    return page(request, "syncing/drift_account.html", context)


def _page(request: HttpRequest, rows: Any, size: int, parameter: str = "p") -> Page[Any]:
    return Paginator(rows, size).get_page(request.GET.get(parameter))
