"""`/api/drift`: what differs where; `/api/accounts/SUBDOMAIN/exceptions`: the differences that are accepted."""

from typing import Annotated, Any, Literal

from ninja import Query, Router, Schema
from pydantic import Field

from accounts.models import RELATED_SECRETS
from syncing.api.http import ApiError, ApiRequest
from syncing.api.lookups import accounts_called, slave_or_404, slaves_or_404
from syncing.api.operations import operation
from syncing.api.paging import Limit, next_url
from syncing.api.request_bodies import Reason, RequestBody, example, group_if_named, read_body
from syncing.api.shapes.accounts import DriftsShape, ExceptionShape
from syncing.models import AcceptedDifference, KeyScope
from syncing.selectors.drift import drift_documents, exception_document
from syncing.services.exceptions import PERMISSION, accept, withdraw

router = Router(tags=["drift"])
MAY_ACCEPT = (KeyScope.APPROVE, PERMISSION)
AS_TOLD = "text, as /api/drift tells it"


class ExceptionBody(RequestBody):
    model_config = example(kind="stage", key="7/71", attribute="color", reason="Their own colours")

    kind: Annotated[str, Field(max_length=12, description=AS_TOLD)]
    key: Annotated[str, Field(max_length=500, description=AS_TOLD)]
    attribute: Annotated[str, Field(max_length=30, description=f"{AS_TOLD}; left out: the whole item")] = ""
    reason: Reason


class DriftFilters(Schema):
    group: str | None = Field(None, description="name of a sync group")
    account: list[str] = Field([], description="a subdomain; may be repeated")
    state: Literal["in_sync", "drifted", "conflict", "unknown"] | None = None
    limit: Limit | None = None
    cursor: str | None = Field(None, max_length=63, description="where the page begins: take it from `next`")


@operation(router.get, "/drift", "api_drift", (KeyScope.READ, "syncing.view_drift"), DriftsShape, errors=(404,))
def drift(request: ApiRequest, filters: Query[DriftFilters]) -> dict[str, Any]:
    """Returns the drift of slaves in the order of their subdomains; all of them without a limit."""
    group = group_if_named(filters.group)
    slaves = slaves_or_404(filters.account)
    most = filters.limit and filters.limit + 1
    rows = drift_documents(group, slaves or None, state=filters.state, after=filters.cursor, limit=most)
    if not filters.limit or len(rows) <= filters.limit:
        return {"accounts": rows, "next": None}
    rows = rows[: filters.limit]
    return {"accounts": rows, "next": next_url(request, rows[-1]["subdomain"])}


@operation(
    router.post,
    "/accounts/{subdomain}/exceptions",
    "api_exceptions",
    MAY_ACCEPT,
    ExceptionShape,
    status=201,
    body=ExceptionBody,
    errors=(409,),
)
def add_exception(request: ApiRequest, subdomain: str) -> dict[str, Any]:
    """Accepts a difference that /api/drift shows now; without an attribute its whole item."""
    account = slave_or_404(subdomain)
    body = read_body(request, ExceptionBody)
    return exception_document(accept(account, **body.model_dump(), by=request.by))


@operation(
    router.delete,
    "/accounts/{subdomain}/exceptions/{int:exception_id}",
    "api_exception",
    MAY_ACCEPT,
    ExceptionShape,
    errors=(409,),
)
def end_exception(request: ApiRequest, subdomain: str, exception_id: int) -> dict[str, Any]:
    """Withdraws an exception, which is kept, with the end of its time; the next run looks at the item again."""
    exceptions = AcceptedDifference.objects.filter(account__in=accounts_called(subdomain))
    exceptions = exceptions.select_related("account__group")
    accepted = exceptions.defer(*RELATED_SECRETS).filter(pk=exception_id).first()
    if accepted is None:
        remedy = "See `accepted` in /api/drift."
        raise ApiError(404, "no_such_exception", "This account has no exception of this number.", remedy)
    withdraw(accepted, by=request.by)
    return exception_document(accepted)
