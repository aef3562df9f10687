"""`POST /api/sync/runs/<id>/rollback`: plans or does the rollback of a run."""

from django.http import JsonResponse

from syncing.api.endpoints import TRIGGER, accepted, run_or_404
from syncing.api.http import ApiRequest, endpoint, json_body
from syncing.api.request_bodies import accounts_of_run, choice_of, reason_of
from syncing.models import RunMode
from syncing.services import rollback as services

KEYS = ("accounts", "mode", "reason")


@endpoint("POST", TRIGGER, "syncing.roll_back")
def rollback(request: ApiRequest, run_id: int) -> JsonResponse:
    """Starts a rollback of `accounts` (else all that can be), with `mode` (plan, else apply) and a `reason`."""
    run = run_or_404(run_id)
    body = json_body(request, KEYS)
    mode = choice_of(body, "mode", RunMode.APPLY, RunMode.values)
    started = services.start(
        run,
        accounts=accounts_of_run(run, body),
        mode=mode,
        by=request.by,
        reason=reason_of(body),
    )
    return accepted(request, started)
