"""Pages that Kommo itself calls."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.kommo.texts import storable
from accounts.services.connecting.uninstall import disable


@require_GET
@never_cache
def disabled(request: HttpRequest) -> JsonResponse:
    """Takes Kommo's message that the integration was removed from an account: `client_uuid`, `account_id` and
    `signature` (docs/kommo.md 1.8)."""
    query = request.GET
    names = ("client_uuid", "account_id", "signature")
    if disable(*(storable(query.get(name, "")) for name in names)):
        return JsonResponse({"status": "ok"})
    error = {"code": "bad_signature", "message": "The signature is not this integration's.", "remedy": ""}
    return JsonResponse({"error": error}, status=403)
