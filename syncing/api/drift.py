"""The endpoints of drift: what differs where, and the exceptions that are accepted."""

from django.http import HttpRequest, JsonResponse

from accounts.models import RELATED_SECRETS
from syncing.api.endpoints import READ, accounts_called, slave_or_404
from syncing.api.http import ApiError, ApiRequest, bad_request, endpoint, json_body
from syncing.api.request_bodies import group_named
from syncing.models import AcceptedDifference, KeyScope
from syncing.selectors.drift import drift_documents, exception_document
from syncing.services.audit import LONGEST_REASON
from syncing.services.exceptions import PERMISSION, accept, withdraw

KEYS = ("kind", "key", "attribute", "reason")
LONGEST = {"kind": 12, "key": 500, "attribute": 30, "reason": LONGEST_REASON}


@endpoint("GET", READ, "syncing.view_drift")
def drift(request: HttpRequest) -> JsonResponse:
    """Answers with the drift of all slaves; ?group= and ?account= (a subdomain; may be repeated) narrow it down."""
    name = request.GET.get("group")
    group = None if name is None else group_named(name)
    slaves = [slave_or_404(subdomain) for subdomain in dict.fromkeys(request.GET.getlist("account"))]
    return JsonResponse({"accounts": drift_documents(group, slaves or None)})


@endpoint("POST", KeyScope.APPROVE, PERMISSION)
def add_exception(request: ApiRequest, subdomain: str) -> JsonResponse:
    """Accepts a difference that /api/drift shows now; without an attribute its whole item."""
    account = slave_or_404(subdomain)
    body = {"attribute": "", **json_body(request, KEYS)}
    for name in KEYS:
        value = body.get(name)
        if not isinstance(value, str) or len(value) > LONGEST[name]:
            message = f"{name} is missing, no text, or too long."
            raise bad_request(f"bad_{name}", message, ["text, as /api/drift tells it"])
    accepted = accept(account, **body, by=request.by)
    return JsonResponse(exception_document(accepted), status=201)


@endpoint("DELETE", KeyScope.APPROVE, PERMISSION)
def end_exception(request: ApiRequest, subdomain: str, exception_id: int) -> JsonResponse:
    """Withdraws an exception; it keeps its row, with the end of its time."""
    exceptions = AcceptedDifference.objects.filter(account__in=accounts_called(subdomain))
    exceptions = exceptions.select_related("account__group")
    accepted = exceptions.defer(*RELATED_SECRETS).filter(pk=exception_id).first()
    if accepted is None:
        remedy = "See `accepted` in /api/drift."
        raise ApiError(404, "no_such_exception", "This account has no exception of this number.", remedy)
    withdraw(accepted, by=request.by)
    return JsonResponse(exception_document(accepted))
