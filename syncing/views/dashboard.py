"""The overview, the first page: what needs somebody, the fleet, what runs now, and what happens by itself."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.kommo.texts import storable_id
from accounts.pages import actor_of, live_parts, page, refusals_shown
from syncing import conf
from syncing.models import AccountRun
from syncing.presentation.fleet import FLEET_STATES
from syncing.presentation.holds import frozen_sentence, paused_sentence
from syncing.presentation.links import to_run
from syncing.selectors import dashboard as reads
from syncing.selectors.automation import AutomationState, automation_state, failing, overdue
from syncing.selectors.conformity_history import conformity_history
from syncing.selectors.first_steps import STEPS, first_steps
from syncing.selectors.fleet import FleetFilters, fleet_accounts, fleet_of
from syncing.selectors.needs import automation_needs, held_needs, needs, with_remedies_once
from syncing.services.runs.retry import retry_these
from syncing.views.solutions import solvable
from syncing.views.start import require_start

NEEDS_AT_ONCE = 12
TILES_AT_ONCE = 1200
LIVE_TILES = 200  # more are not sent every two seconds; the counts are
SEE = "syncing.view_syncrun"
LIVE = {
    "ks-banners": "_overview_banners.html",
    "ks-steps": "_first_steps.html",
    "ks-needs": "_needs.html",
    "ks-now": "_overview_now.html",
    "ks-counts": "_overview_counts.html",
    "ks-tiles": "_overview_tiles.html",
    "ks-groups": "_overview_groups.html",
    "ks-starts": "_overview_starts.html",
    "ks-conformity": "_overview_conformity.html",
    "ks-history": "_overview_history.html",
}


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Shows the overview; who may not see runs is told so."""
    context: dict[str, Any] = {"title": _("Overview")}
    if request.user.has_perm(SEE):
        context |= {"play_url": conf.demo_play_url(), **_context(request)}
    return page(request, "syncing/overview.html", context)


@permission_required(SEE, raise_exception=True)
@require_safe
def dashboard_live(request: HttpRequest) -> HttpResponse:
    """Renders all of the overview again that may have changed."""
    context = _context(request)
    is_quick = not context["busy"] or len(context["fleet"].shown) <= LIVE_TILES
    parts = {name: (f"syncing/{template}", context) for name, template in LIVE.items()}
    if not is_quick:
        del parts["ks-tiles"]
    return live_parts(request, parts, is_open=context["busy"])


def _context(request: HttpRequest) -> dict[str, Any]:
    """Returns everything the overview shows."""
    automation, runs = automation_state(), reads.shown_runs()
    accounts = fleet_accounts(automation.moment)
    stuck = runs.wait_for_workers and not automation.workers_alive
    troubles = [each for each in (*overdue(automation), *failing(automation)) if not (stuck and each.code == "workers")]
    open_needs = [*held_needs(line.run for line in runs.open), *automation_needs(troubles), *needs(accounts)]
    filters = FleetFilters.of(request.GET)
    group = storable_id(filters.group)
    if group is not None and group not in {each.pk for each in automation.groups}:
        group, filters = None, filters.without("group")
    fleet = fleet_of(accounts, automation.moment, group=group, text=filters.q, state=filters.show)
    steps = first_steps(accounts, automation.groups, runs)
    mine = [need for need in open_needs if need.concern.asker_id == request.user.pk]
    others = [need for need in open_needs if need not in mine]
    open_needs = [*with_remedies_once(mine), *with_remedies_once(others)]  # first what comes back to this person
    return {
        "runs": runs,
        "busy": bool(runs.open),
        "stuck": stuck,
        "banners": _banners(automation),
        "steps": steps,
        "step_names": STEPS,
        "needs": solvable(open_needs[:NEEDS_AT_ONCE], request.user.has_perm),
        "more_needs": solvable(open_needs[NEEDS_AT_ONCE:], request.user.has_perm),
        "boards": reads.boards(accounts, runs, automation),
        "conformity": None if steps else conformity_history(timezone.localdate(), accounts, group),
        "fleet": fleet,
        "tiles": Paginator(fleet.shown, TILES_AT_ONCE).get_page(request.GET.get("p")),
        "filters": filters,
        "chosen_state": FLEET_STATES.get(filters.show),
    }


def _banners(automation: AutomationState) -> list[dict[str, Any]]:
    """Returns what keeps runs of whole groups from beginning."""
    moment = automation.moment
    prefetch_related_objects(automation.groups, "windows")
    sentences = [
        (group, paused_sentence(group, moment) or frozen_sentence(group, moment)) for group in automation.groups
    ]
    return [
        {"group": group, "text": text, "is_paused": group.is_paused_at(moment)} for group, text in sentences if text
    ]


@permission_required(SEE, raise_exception=True)
@require_safe
def success(request: HttpRequest) -> HttpResponse:
    """Shows how every account did in its last ten runs."""
    return page(request, "syncing/success.html", {"title": _("Success per account"), "shares": reads.success_shares()})


@require_POST
def try_again(request: HttpRequest) -> HttpResponse:
    """Starts a run for the account runs in `account_runs`, which did not do what they should."""
    ids = [storable_id(number) for number in request.POST.get("account_runs", "").split(",")]
    account_runs = AccountRun.objects.filter(pk__in=[each for each in ids if each])
    for mode in set(account_runs.values_list("run__mode", flat=True)):
        require_start(request, mode)
    with refusals_shown(request):
        started = retry_these(account_runs, by=actor_of(request))
        if len(started) == 1:
            return to_run(request, started[0])
        messages.success(request, _("%(n)d runs are queued.") % {"n": len(started)})
    return HttpResponseRedirect(reverse("syncing:dashboard"))
