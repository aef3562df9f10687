"""`POST /api/accounts/<subdomain>/promote`: proposes items of a slave for the master; approving the plan does it."""

from typing import Any

from django.http import JsonResponse

from accounts.models import SECRETS, Account
from accounts.refusals import Refusal
from syncing.api.endpoints import accepted
from syncing.api.http import ApiError, ApiRequest, endpoint, json_body
from syncing.api.order import reason_of, wrong
from syncing.models import ApiKey
from syncing.purposes import PROMOTE
from syncing.services import promotion

KEYS = ("items", "reason")
ITEM_KEYS = ("kind", "name", "slave_key", "attribute")
LONGEST = 500


@endpoint("POST", ApiKey.Scope.PROMOTE, PROMOTE)
def promote(request: ApiRequest, subdomain: str) -> JsonResponse:
    """`items`: {kind, name or slave_key, attribute} each, as /api/drift tells them; no attribute: the whole item."""
    body = json_body(request)
    if any(name not in KEYS for name in body):
        raise wrong("unknown_key", "The body holds a key that is not known.", KEYS)
    source, items, reason = _slave(subdomain), _items(body.get("items")), reason_of(body)
    try:
        started = promotion.propose(source, promotion.by_name(source, items), by=request.by, reason=reason)
    except Refusal as error:
        raise ApiError(409, error.code, error.message, error.remedy) from error
    return accepted(request, started)


def _slave(subdomain: str) -> Account:
    slaves = Account.objects.filter(role=Account.Role.SLAVE, subdomain=subdomain).select_related("group")
    account = slaves.defer(*SECRETS).first()
    if account is None:
        remedy = "See /api/drift for all that have a drift."
        raise ApiError(404, "no_such_account", "There is no slave of this subdomain.", remedy)
    return account


def _items(items: Any) -> list[dict[str, str]]:
    if not isinstance(items, list) or not items or not all(_is_item(item) for item in items):
        raise wrong("bad_items", "items must be a list of objects of short texts, each with these keys.", ITEM_KEYS)
    return items


def _is_item(item: Any) -> bool:
    if not isinstance(item, dict) or not item.keys() <= set(ITEM_KEYS) or "kind" not in item:
        return False
    texts = all(isinstance(text, str) and len(text) <= LONGEST for text in item.values())
    return texts and bool(item.get("name") or item.get("slave_key"))
