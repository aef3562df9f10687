"""`POST /api/sync/runs/ID/rollback`: plans or does the rollback of a run."""

from typing import Annotated, Any

from ninja import Router
from pydantic import Field

from syncing.api.http import ApiRequest
from syncing.api.lookups import accepted, run_or_404
from syncing.api.operations import operation
from syncing.api.request_bodies import Reason, RequestBody, Subdomains, accounts_of_run, example, read_body
from syncing.api.shapes.runs import StartedShape
from syncing.models import KeyScope, RunMode
from syncing.services import rollback as services

router = Router(tags=["runs"])


class RollbackBody(RequestBody):
    model_config = example(mode="plan", accounts=["north"], reason="Wrong colours")

    accounts: Subdomains = None
    mode: Annotated[RunMode, Field(strict=False)] = RunMode.APPLY
    reason: Reason = ""


@operation(
    router.post,
    "/sync/runs/{int:run_id}/rollback",
    "api_rollback",
    (KeyScope.TRIGGER, "syncing.roll_back"),
    StartedShape,
    status=202,
    body=RollbackBody,
    errors=(409,),
)
def rollback(request: ApiRequest, run_id: int) -> dict[str, Any]:
    """Starts a run that takes back what a run did to all of its accounts that can be rolled back, or to some."""
    run = run_or_404(run_id)
    body = read_body(request, RollbackBody)
    accounts = accounts_of_run(run, body.accounts)
    return accepted(request, services.start(run, accounts=accounts, mode=body.mode, by=request.by, reason=body.reason))
