"""The endpoints of drift: what differs where, and the exceptions that are accepted."""

from typing import Any

from django.http import HttpRequest, JsonResponse

from accounts.models import RELATED_SECRETS, Account, SyncGroup
from syncing.api.endpoints import READ, found_slave
from syncing.api.http import ApiError, ApiRequest, endpoint, json_body, wrong
from syncing.models import AcceptedDifference, KeyScope
from syncing.selectors.drift import drift_documents, exception_document
from syncing.services.audit import LONGEST_REASON
from syncing.services.exceptions import PERMISSION, accept, withdraw

KEYS = ("kind", "key", "attribute", "reason")
LONGEST = {"kind": 12, "key": 500, "attribute": 30, "reason": LONGEST_REASON}


@endpoint("GET", READ, "syncing.view_drift")
def drift(request: HttpRequest) -> JsonResponse:
    """?group= and ?account= (a slave's subdomain; may be repeated) narrow it down."""
    return JsonResponse({"accounts": drift_documents(_group(request), _accounts(request))})


def _group(request: HttpRequest) -> SyncGroup | None:
    name = request.GET.get("group")
    if name is None:
        return None
    groups = {group.name: group for group in SyncGroup.objects.all()}
    if name not in groups:
        raise wrong("unknown_group", "There is no group of this name.", groups)
    return groups[name]


def _accounts(request: HttpRequest) -> list[Account] | None:
    subdomains = request.GET.getlist("account")
    return [found_slave(subdomain) for subdomain in dict.fromkeys(subdomains)] if subdomains else None


@endpoint("POST", KeyScope.APPROVE, PERMISSION)
def add_exception(request: ApiRequest, subdomain: str) -> JsonResponse:
    """Accepts a difference that /api/drift shows now; without an attribute its whole item."""
    account, what = found_slave(subdomain), _what(json_body(request, KEYS))
    accepted = accept(account, **what, by=request.by)
    return JsonResponse(exception_document(accepted), status=201)


def _what(body: dict[str, Any]) -> dict[str, str]:
    what = {"attribute": "", **body}
    for name in KEYS:
        value = what.get(name)
        if not isinstance(value, str) or len(value) > LONGEST[name]:
            raise wrong(f"bad_{name}", f"{name} is missing, no text, or too long.", ["text, as /api/drift tells it"])
    return what


@endpoint("DELETE", KeyScope.APPROVE, PERMISSION)
def end_exception(request: ApiRequest, subdomain: str, exception_id: int) -> JsonResponse:
    exceptions = AcceptedDifference.objects.filter(account__subdomain=subdomain).select_related("account__group")
    accepted = exceptions.defer(*RELATED_SECRETS).filter(pk=exception_id).first()
    if accepted is None:
        remedy = "See `accepted` in /api/drift."
        raise ApiError(404, "no_such_exception", "This account has no exception of this number.", remedy)
    withdraw(accepted, by=request.by)
    return JsonResponse(exception_document(accepted))
