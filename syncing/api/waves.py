"""`POST /api/sync/runs/ID/continue`: starts the next wave of a run that waits."""

from typing import Annotated, Any

from ninja import Router
from pydantic import Field

from syncing.api.http import ApiRequest
from syncing.api.lookups import run_or_404, run_url
from syncing.api.operations import operation
from syncing.api.request_bodies import RequestBody, WholeNumber, example, read_body
from syncing.api.shapes.runs import ContinuedShape
from syncing.models import KeyScope, RunMode
from syncing.services.runs.start import PERMISSION
from syncing.services.runs.waves import continue_run

router = Router(tags=["runs"])
WAVE = "number of the wave to start, from 1 on: a repeated call starts no later one"


class ContinueBody(RequestBody):
    model_config = example(wave=2)

    wave: Annotated[WholeNumber, Field(ge=1, lt=2**15)] | None = Field(None, description=WAVE)


@operation(
    router.post,
    "/sync/runs/{int:run_id}/continue",
    "api_continue",
    (KeyScope.TRIGGER, PERMISSION[RunMode.APPLY]),
    ContinuedShape,
    status=202,
    body=ContinueBody,
    errors=(409,),
)
def continue_(request: ApiRequest, run_id: int) -> dict[str, Any]:
    """Starts the next wave of a run that waits."""
    run = run_or_404(run_id)
    body = read_body(request, ContinueBody)
    run = continue_run(run, by=request.by, wave=body.wave)
    return {"run": run.pk, "wave": run.wave + 1, "status_url": run_url(request, run)}
