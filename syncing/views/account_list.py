"""Lists the accounts with what each needs; what is done with several is asked and done by the admin's actions."""

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.kommo.texts import storable_id
from accounts.models import Account, SyncGroup
from accounts.pages import export_page, page
from syncing.models import AccountState, SavedList, Standing
from syncing.selectors.account_list import AccountListFilters, account_counts, account_list
from syncing.selectors.drift import EDITED_CAUSE
from syncing.views.saved_views import list_views

ACCOUNTS_PER_PAGE = 100


@permission_required("accounts.view_account", raise_exception=True)
@require_safe
def accounts(request: HttpRequest) -> HttpResponse:
    """Lists every account that the filters in the address let through."""
    filters = AccountListFilters.of(request.GET)
    saved = list_views(request, SavedList.ACCOUNTS, filters)
    if saved.opens:
        return HttpResponseRedirect(saved.opens)
    actions = admin.site.get_model_admin(Account).get_action_choices(request)
    context = {
        "title": _("Accounts"),
        "accounts": Paginator(account_list(filters), ACCOUNTS_PER_PAGE).get_page(request.GET.get("p")),
        "counts": account_counts(storable_id(filters.group)),
        "groups": SyncGroup.objects.all(),
        "saved": saved,
        "filters": filters,
        "actions": [(name, label) for name, label in actions if name],  # not the empty choice
        "checkbox": ACTION_CHECKBOX_NAME,
        "healths": Account.Health.choices,
        "drifts": (*Standing.values, EDITED_CAUSE),
        "last_states": AccountState.choices,
    }
    return page(request, "console/accounts.html", context)


@permission_required(("accounts.view_account", "accounts.export_account"), raise_exception=True)
@require_http_methods(["GET", "POST"])
def export(request: HttpRequest) -> HttpResponse:
    """Asks for a format (GET); sends the accounts that the list shows by the same address (POST)."""
    return export_page(request, account_list(AccountListFilters.of(request.GET)))
