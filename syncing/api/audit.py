"""The endpoint of the audit."""

from django.http import HttpRequest, JsonResponse

from accounts.kommo.texts import storable_id
from syncing.api.endpoints import READ
from syncing.api.http import bad_request, endpoint
from syncing.selectors import audit as reads

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000  # entries of one answer


@endpoint("GET", READ, "syncing.view_auditentry")
def audit(request: HttpRequest) -> JsonResponse:
    """Answers with a page of entries, the newest first; `next` is the `before` of the next page."""
    before, limit = _number(request, "before"), _number(request, "limit") or DEFAULT_LIMIT
    if limit > MAX_LIMIT:
        raise bad_request("bad_limit", "limit is too large.", [f"1 to {MAX_LIMIT}"])
    page = [reads.document(entry) for entry in reads.entries(before=before)[: limit + 1]]
    more = len(page) > limit
    return JsonResponse({"entries": page[:limit], "next": page[limit - 1]["id"] if more else None})


def _number(request: HttpRequest, name: str) -> int | None:
    """Returns the whole number that the query string gives; None when it gives none. Raises ApiError 400."""
    text = request.GET.get(name)
    if text is None:
        return None
    number = storable_id(text)
    if not number or number < 1:
        raise bad_request(f"bad_{name}", f"{name} is no number.", ["a whole number from 1 on"])
    return number
