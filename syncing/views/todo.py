"""Lists what the API cannot do, with a link to the page of each Kommo account on which a person does it."""

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.kommo.texts import storable_id
from accounts.models import SyncGroup
from accounts.pages import page
from syncing.models import SavedList
from syncing.selectors.todo import LISTS, TodoFilters, tasks
from syncing.views.saved_views import list_views

TASKS_PER_PAGE = 50


@permission_required("syncing.view_accountrun", raise_exception=True)
@require_safe
def todo(request: HttpRequest) -> HttpResponse:
    """Lists the tasks, each once with its accounts; the next reading of an account ticks off what is done there."""
    filters = TodoFilters.of(request.GET)
    saved = list_views(request, SavedList.TODO, filters)
    if saved.opens:
        return HttpResponseRedirect(saved.opens)
    of_any_kind = tasks(group=storable_id(filters.group), text=filters.q)
    listed = [task for task in of_any_kind if filters.what in ("", task.what)]
    context = {
        "title": _("To do"),
        "tasks": Paginator(listed, TASKS_PER_PAGE).get_page(request.GET.get("p")),
        "counts": [(what, number) for what in LISTS if (number := sum(task.what == what for task in of_any_kind))],
        "groups": SyncGroup.objects.all(),
        "saved": saved,
        "filters": filters,
    }
    return page(request, "console/todo.html", context)
