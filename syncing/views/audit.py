"""Shows who decided what, and why, and gives it as a file; both by the same filters."""

from collections.abc import Callable, Iterator
from itertools import chain

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import SyncGroup
from accounts.pages import page
from accounts.services.tables.formulas import BOM
from syncing.models import AuditAction, AuditEntry, SavedList, Trigger
from syncing.selectors import audit as reads
from syncing.selectors.audit import AuditListFilters
from syncing.views.saved_views import list_views

ENTRIES_PER_PAGE = 50
FORMATS: dict[str, tuple[str, Callable[[QuerySet[AuditEntry]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", lambda entries: chain([BOM], reads.as_csv(entries))),
    "json": ("application/json", reads.as_json),
}
may_look = permission_required("syncing.view_auditentry", raise_exception=True)


@may_look
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Lists the entries that are looked for."""
    filters = AuditListFilters.of(request.GET)
    saved = list_views(request, SavedList.AUDIT, filters)
    if saved.opens:
        return HttpResponseRedirect(saved.opens)
    context = {
        "title": _("Audit"),
        "saved": saved,
        "filters": filters,
        "actions": AuditAction.choices,
        "triggers": Trigger.choices,
        "groups": list(SyncGroup.objects.order_by("name").values_list("name", flat=True)),
        "entries": Paginator(reads.found_entries(filters), ENTRIES_PER_PAGE).get_page(request.GET.get("p")),
    }
    return page(request, "console/audit.html", context)


@may_look
@require_safe
def audit_file(request: HttpRequest, format: str) -> StreamingHttpResponse:
    """Exports the entries that the filters of the page find, however many they are."""
    if format not in FORMATS:
        raise Http404
    content_type, write = FORMATS[format]
    entries = reads.found_entries(AuditListFilters.of(request.GET))
    response = StreamingHttpResponse(write(entries), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.localdate().isoformat()}.{format}"'
    return response
