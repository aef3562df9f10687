"""Lists what the API cannot do, with a link to the page of each Kommo account on which a person does it."""

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.kommo.texts import storable_id
from accounts.models import SyncGroup
from accounts.pages import page
from syncing.presentation.links import searched
from syncing.selectors.todo import tasks

TASKS_PER_PAGE = 50


@permission_required("syncing.view_accountrun", raise_exception=True)
@require_safe
def todo(request: HttpRequest) -> HttpResponse:
    """Lists the tasks, each once with its accounts; the next reading of an account ticks off what is done there."""
    text, wanted = searched(request), request.GET.get("group", "")
    found = tasks(group=storable_id(wanted), text=text)
    context = {
        "title": _("To do"),
        "tasks": Paginator(found, TASKS_PER_PAGE).get_page(request.GET.get("p")),
        "number": sum(len(task.places) for task in found),
        "groups": SyncGroup.objects.all(),
        "filters": {"q": text, "group": wanted},
        "is_filtered": bool(text or wanted),
    }
    return page(request, "console/todo.html", context)
