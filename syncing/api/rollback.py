"""`POST /api/sync/runs/<id>/rollback`: plans or does the way back of a run."""

from django.http import JsonResponse

from syncing.api.endpoints import TRIGGER, accepted, found_run
from syncing.api.http import ApiRequest, endpoint, json_body, wrong
from syncing.api.order import accounts_of_run, reason_of
from syncing.models import RunMode
from syncing.services import rollback as services

KEYS = ("accounts", "mode", "reason")


@endpoint("POST", TRIGGER, "syncing.roll_back")
def rollback(request: ApiRequest, run_id: int) -> JsonResponse:
    """The body may name `accounts` (else all that can be), `mode` (plan, else apply) and a `reason`."""
    body, run = json_body(request, KEYS), found_run(run_id)
    mode = body.get("mode", RunMode.APPLY)
    if not isinstance(mode, str) or mode not in RunMode.values:
        raise wrong("bad_mode", "mode is not one of the possible values.", RunMode.values)
    started = services.start(
        run,
        accounts=accounts_of_run(run, body.get("accounts")),
        mode=mode,
        by=request.by,
        reason=reason_of(body),
    )
    return accepted(request, started)
