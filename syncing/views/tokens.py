"""Makes and rotates the webhook token of a group; it is shown once."""

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import SyncGroup
from accounts.pages import actor_of, page
from syncing.services.keys import make_webhook_token


# Knowing the address is enough to start runs, so it needs the permission to start them.
@permission_required(["accounts.change_syncgroup", "syncing.start_sync"], raise_exception=True)
@require_http_methods(["GET", "POST"])
@never_cache
def webhook_token(request: HttpRequest, group_id: int) -> HttpResponse:
    """Says what will happen (GET); makes the token and shows the address (POST)."""
    group = get_object_or_404(SyncGroup, pk=group_id)
    context = {"title": _("Webhook of %(group)s") % {"group": group.name}, "group": group}
    if request.method == "POST":
        token = make_webhook_token(group, rotate=True, by=actor_of(request))
        path = reverse("syncing:webhook", args=[token])
        context["secret"] = request.build_absolute_uri(path)
        note = _("A new webhook address was created.")
        admin.site.get_model_admin(SyncGroup).log_change(request, group, note)
    return page(request, "syncing/webhook_token.html", context)
