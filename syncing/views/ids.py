"""Lists ids: those of one account, and those of all, where somebody looks up what an id means and where."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Account, SyncGroup
from accounts.pages import csv_response, page
from syncing.models import SavedList
from syncing.presentation.labels import KINDS
from syncing.selectors.ids import HEAD, AccountIdFilters, IdListFilters, file_rows, found_ids, kind_counts
from syncing.views.lookup import slave_or_404
from syncing.views.saved_views import list_views

IDS_PER_PAGE = 100
may_look = permission_required("syncing.view_idmapping", raise_exception=True)


@may_look
@require_safe
def account_ids(request: HttpRequest, account_id: int) -> HttpResponse:
    """Lists the ids of everything that is the same in this account and its master."""
    account, filters = slave_or_404(account_id), AccountIdFilters.of(request.GET)
    context = {"title": _("Ids in %(account)s") % {"account": account}, "account": account}
    return page(request, "console/account_ids.html", {**context, **_list_context(request, filters, account)})


@may_look
@require_safe
def ids(request: HttpRequest) -> HttpResponse:
    """Lists the ids of all accounts."""
    filters = IdListFilters.of(request.GET)
    saved = list_views(request, SavedList.IDS, filters)
    if saved.opens:
        return HttpResponseRedirect(saved.opens)
    context = {"title": _("Ids"), "saved": saved, "groups": SyncGroup.objects.order_by("name")}
    return page(request, "console/ids.html", {**context, **_list_context(request, filters)})


@may_look
@require_safe
def ids_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Exports the ids that the filters find, however many they are."""
    return csv_response("kommosync-ids.csv", HEAD, file_rows(IdListFilters.of(request.GET)))


def _list_context(request: HttpRequest, filters: AccountIdFilters, account: Account | None = None) -> dict[str, Any]:
    return {
        "filters": filters,
        "rows": Paginator(found_ids(filters, account), IDS_PER_PAGE).get_page(request.GET.get("p")),
        "counts": kind_counts(filters, account),
        "kinds": KINDS.items(),
    }
