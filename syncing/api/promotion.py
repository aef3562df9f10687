"""`POST /api/accounts/<subdomain>/promote`: proposes items of a slave for the master; approving the plan does it."""

from typing import Any

from django.http import JsonResponse

from syncing.api.endpoints import accepted, slave_or_404
from syncing.api.http import ApiRequest, bad_request, endpoint, json_body, unknown_keys
from syncing.api.request_bodies import reason_of
from syncing.models import KeyScope
from syncing.purposes import PROMOTE
from syncing.services import promotion

KEYS = ("items", "reason")
ITEM_KEYS = ("kind", "name", "slave_key", "attribute")
LONGEST = 500


@endpoint("POST", KeyScope.PROMOTE, PROMOTE)
def promote(request: ApiRequest, subdomain: str) -> JsonResponse:
    """Plans to promote `items`: {kind, name or slave_key, attribute} each, as /api/drift tells them.

    No attribute: the whole item.
    """
    body, source = json_body(request, KEYS), slave_or_404(subdomain)
    items = body.get("items")
    if not isinstance(items, list) or not items or not all(_is_item(item) for item in items):
        message = "items must be a list of objects of short texts, each with these keys."
        raise bad_request("bad_items", message, ITEM_KEYS)
    reason = reason_of(body)
    started = promotion.propose(source, promotion.by_name(source, items), by=request.by, reason=reason)
    return accepted(request, started)


def _is_item(item: Any) -> bool:
    if not isinstance(item, dict) or unknown_keys(item, ITEM_KEYS) or "kind" not in item:
        return False
    texts = all(isinstance(text, str) and len(text) <= LONGEST for text in item.values())
    return texts and bool(item.get("name") or item.get("slave_key"))
