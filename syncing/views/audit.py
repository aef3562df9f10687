"""Shows who decided what, and why: the newest first, searched and filtered."""

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.kommo.texts import storable
from accounts.models import SyncGroup
from accounts.pages import page
from syncing.models import AuditAction
from syncing.selectors.audit import found
from syncing.selectors.filters import LONGEST

ENTRIES_PER_PAGE = 50


@permission_required("syncing.view_auditentry", raise_exception=True)
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Lists the audit; the parameters are those of the file that the page offers (syncing.admin.audit)."""
    names = {"q": "text", "action__exact": "action", "group": "group"}
    asked = {to: storable(request.GET.get(name, "")).strip()[:LONGEST] for name, to in names.items()}
    context = {
        "title": _("Audit"),
        **asked,
        "actions": AuditAction.choices,
        "groups": SyncGroup.objects.values_list("name", flat=True),
        "entries": Paginator(found(**asked), ENTRIES_PER_PAGE).get_page(request.GET.get("p")),
    }
    return page(request, "console/audit.html", context)
