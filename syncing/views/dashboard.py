"""Shows the dashboard, the first page of the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _

from accounts.pages import live_parts
from syncing import conf
from syncing.leases.processes import workers_alive
from syncing.selectors import dashboard as reads
from syncing.selectors.automation import AutomationState, automation_state, failing, overdue
from syncing.selectors.needs import automation_needs, needs

SHARES_AT_ONCE = 12
NEEDS_AT_ONCE = 25


def dashboard(request: HttpRequest) -> HttpResponse:
    """Shows the admin's index with our part above the list of apps, for those who may see runs."""
    context: dict[str, Any] = {"title": _("Dashboard")}
    if request.user.has_perm("syncing.view_syncrun"):
        automation = automation_state()
        shares = reads.success_shares()
        open_needs = [*automation_needs([*overdue(automation), *failing(automation)]), *needs()]
        context |= {
            **_live_context(automation),
            "play_url": conf.demo_play_url(),
            "shares": shares[:SHARES_AT_ONCE],
            "more_shares": shares[SHARES_AT_ONCE:],
            "needs": open_needs[:NEEDS_AT_ONCE],
            "more_needs": len(open_needs[NEEDS_AT_ONCE:]),
        }
    return admin.site.index(request, context)


@permission_required("syncing.view_syncrun", raise_exception=True)
def dashboard_live(request: HttpRequest) -> JsonResponse:
    """Renders the parts that change while a run is at work."""
    live = _live_context(automation_state())
    parts = {
        "ks-overview": ("syncing/_overview.html", live),
        "ks-history": ("syncing/_history.html", live),
        **{f"ks-group-{board.group.pk}": ("syncing/_group.html", {"board": board}) for board in live["boards"]},
    }
    return live_parts(request, parts, is_open=live["busy"])


def _live_context(automation: AutomationState) -> dict[str, Any]:
    """Returns the context of the parts that change while a run is at work."""
    boards, history = reads.boards_and_history(automation)
    waiting = reads.open_runs()
    return {
        "overview": reads.overview(),
        "boards": boards,
        "history": history,
        "busy": bool(waiting),
        "stuck": any(waiting) and not workers_alive(),
    }
