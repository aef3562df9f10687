"""`POST /api/sync/runs/ID/approve` and `send_back`: approves a plan, or sends it back."""

from typing import Any

from ninja import Router

from syncing.api.http import ApiRequest
from syncing.api.lookups import accepted, run_or_404
from syncing.api.operations import operation
from syncing.api.request_bodies import Reason, RequestBody, Subdomains, accounts_of_run, example, read_body
from syncing.api.shapes.runs import SentBackShape, StartedShape
from syncing.models import KeyScope
from syncing.purposes import APPROVE
from syncing.services import approvals as services

router = Router(tags=["plans"])


class ApprovalBody(RequestBody):
    model_config = example(reason="Agreed with sales")

    accounts: Subdomains = None
    reason: Reason = ""


@operation(
    router.post,
    "/sync/runs/{int:run_id}/approve",
    "api_approve",
    (KeyScope.APPROVE, APPROVE),
    StartedShape,
    status=202,
    body=ApprovalBody,
    errors=(409,),
)
def approve(request: ApiRequest, run_id: int) -> dict[str, Any]:
    """Approves the plan of a run for all of its accounts, or some, and starts the run that carries it out."""
    plan = run_or_404(run_id)
    body = read_body(request, ApprovalBody)
    accounts = accounts_of_run(plan, body.accounts)
    return accepted(request, services.approve(plan, by=request.by, accounts=accounts, reason=body.reason))


class SendBackBody(RequestBody):
    model_config = example(comment="Keep the old colours")

    comment: Reason


@operation(
    router.post,
    "/sync/runs/{int:run_id}/send_back",
    "api_send_back",
    (KeyScope.APPROVE, APPROVE),
    SentBackShape,
    body=SendBackBody,
    errors=(409,),
)
def send_back(request: ApiRequest, run_id: int) -> dict[str, Any]:
    """Sends the plan of a run back with a comment; it cannot be approved any more."""
    plan = run_or_404(run_id)
    services.send_back(plan, by=request.by, comment=read_body(request, SendBackBody).comment)
    sent_back = {"at": plan.sent_back_at, "by": plan.sent_back_by, "comment": plan.sent_back_comment}
    return {"run": plan.pk, "sent_back": sent_back}
