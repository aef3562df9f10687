"""Lists runs: what is looked for is in the address, so that it can be kept and sent."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import SyncGroup
from accounts.pages import live_parts, page
from syncing.models import RUN_OPEN, RunPurpose, RunState, RunType, SavedList, Trigger
from syncing.selectors import run_list
from syncing.selectors.run_list import RunListFilters
from syncing.selectors.runs import progress_of
from syncing.views.saved_views import list_views

RUNS_PER_PAGE = 50
may_look = permission_required("syncing.view_syncrun", raise_exception=True)


@may_look
@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """Shows the runs that are looked for, live while one of them is open."""
    saved = list_views(request, SavedList.RUNS, RunListFilters.of(request.GET))
    if saved.opens:
        return HttpResponseRedirect(saved.opens)
    context = {
        "title": _("Runs"),
        "saved": saved,
        "groups": list(SyncGroup.objects.order_by("name")),
        "choices": {"type": RunType.choices, "purpose": RunPurpose.choices, "trigger": Trigger.choices},
        "states": RunState.choices,
        "people": run_list.people(),
        "no_person": run_list.NO_PERSON,
        **_list_context(request),
    }
    return page(request, "console/runs.html", context)


@may_look
@require_safe
def runs_live(request: HttpRequest) -> HttpResponse:
    """Renders the list again."""
    context = _list_context(request)
    return live_parts(request, {"ks-runs": ("console/_runs.html", context)}, is_open=context["is_open"])


def _list_context(request: HttpRequest) -> dict[str, Any]:
    """Returns the part of the page that renews itself: the runs that are looked for, and how many in each state."""
    filters = RunListFilters.of(request.GET)
    matching = run_list.with_reasons(run_list.found_runs(filters).select_related("group"))
    runs = Paginator(matching, RUNS_PER_PAGE).get_page(request.GET.get("p"))
    progress = progress_of(runs.object_list)
    own = run_list.account_runs_in(runs.object_list, filters.account) if filters.account else {}
    return {
        "filters": filters,
        "runs": runs,
        "rows": [(run, progress[run.pk], own.get(run.pk)) for run in runs],
        "counts": run_list.states_of(filters),
        "is_open": any(run.state in RUN_OPEN for run in runs),
        "is_empty": not filters and not runs.paginator.count,
    }
